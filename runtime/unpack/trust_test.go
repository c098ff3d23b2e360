package unpack_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// stranger is a user that is neither root nor the ordinary user of the tests.
const stranger = 54999

// snapshot lists everything at and below dir with owner, mode and time, to see
// whether anything was touched.
func snapshot(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		b.WriteString(strings.Join([]string{p, info.Mode().String(), info.ModTime().String(), string(rune('0' + st.Uid%10))}, " ") + "\n")
		return nil
	}))
	return b.String()
}

func chown(t testing.TB, uid int, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, uid, uid)
	}))
}

// idOf returns the ID of a bundle.
func idOf(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	info, err := f.Stat()
	must(t, err)
	tr, err := payload.ReadTrailer(f, info.Size())
	must(t, err)
	return tr.ID.String()
}

// TestMadeBefore: a base that somebody else has prepared, with or without a tree
// of the right ID in it, is neither used nor written to.
func TestMadeBefore(t *testing.T) {
	testenv.Needs(t, testenv.RootUser)
	for _, tt := range []struct {
		name string
		make func(t *testing.T, base, evil, id string) // evil: a directory outside, of the stranger
		want string                                    // in the warning
	}{
		{"directory", func(t *testing.T, base, _, _ string) {
			must(t, os.Mkdir(base, 0o777))
			chown(t, stranger, base)
		}, "belongs to uid 54999"},
		{"directory with the ID", func(t *testing.T, base, _, id string) {
			must(t, os.MkdirAll(filepath.Join(base, id, "dist/usr/bin"), 0o755))
			must(t, os.WriteFile(filepath.Join(base, id, "dist/usr/bin/cvmfs2"), []byte("evil"), 0o755))
			chown(t, stranger, base)
		}, "belongs to uid 54999"},
		{"symbolic link", func(t *testing.T, base, evil, _ string) { must(t, os.Symlink(evil, base)) }, "symbolic link"},
		{"link to a directory of ours", func(t *testing.T, base, evil, _ string) {
			testenv.Own(t, evil)
			must(t, os.Symlink(evil, base))
		}, "symbolic link"},
		{"file", func(t *testing.T, base, _, _ string) { must(t, os.WriteFile(base, nil, 0o644)) }, "not a directory"},
		{"ours, others may write", func(t *testing.T, base, _, _ string) {
			must(t, os.Mkdir(base, 0o700))
			must(t, os.Chmod(base, 0o775))
			testenv.Own(t, base)
		}, "lets others write"},
		{"ours, with a stranger's ID", func(t *testing.T, base, _, id string) {
			must(t, os.MkdirAll(filepath.Join(base, id, "dist"), 0o755))
			chown(t, stranger, filepath.Join(base, id))
			testenv.Own(t, base)
		}, "belongs to uid 54999"},
		{"ours, with a link for the ID", func(t *testing.T, base, evil, id string) {
			must(t, os.Mkdir(base, 0o755))
			must(t, os.Symlink(evil, filepath.Join(base, id)))
			testenv.Own(t, base)
		}, "symbolic link"},
		{"ours, with an ID others may write to", func(t *testing.T, base, _, id string) {
			must(t, os.MkdirAll(filepath.Join(base, id, "dist"), 0o755))
			must(t, os.Chmod(filepath.Join(base, id), 0o757))
			testenv.OwnTree(t, base)
		}, "lets others write"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, tmp, evil := testenv.Dir(t), testenv.Dir(t), testenv.Dir(t)
			path := bundle(t, dir, "one")
			chown(t, stranger, evil)
			base := filepath.Join(dir, ".cvmfsexec")
			tt.make(t, base, evil, idOf(t, path))
			before, outside := snapshot(t, base), snapshot(t, evil)
			r := good(t, command(t, path, "TMPDIR="+tmp))
			if !strings.HasPrefix(r.Place.Base, tmp+"/cvmfsexec-") || !strings.HasPrefix(r.Place.State, tmp) {
				t.Errorf("used %q, state %q", r.Place.Base, r.Place.State)
			}
			if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], tt.want) || !strings.Contains(r.Warnings[0], base) {
				t.Errorf("warnings %q, want one with %q", r.Warnings, tt.want)
			}
			if after := snapshot(t, base); after != before {
				t.Errorf("before:\n%safter:\n%s", before, after)
			}
			if after := snapshot(t, evil); after != outside {
				t.Errorf("outside before:\n%safter:\n%s", outside, after)
			}
		})
	}
}

// TestSharedPlaceMadeBefore: in $TMPDIR not even root's or the bundle owner's
// directory will do, nor a place where others can rename ours.
func TestSharedPlaceMadeBefore(t *testing.T) {
	testenv.Needs(t, testenv.RootUser)
	dir, xdg, tmp, open := testenv.Dir(t), testenv.Dir(t), testenv.Dir(t), testenv.Dir(t)
	path := bundle(t, dir, "one")
	must(t, os.Chown(dir, 0, 0)) // nothing can be made beside the bundle
	name := "cvmfsexec-54321"
	must(t, os.Mkdir(filepath.Join(xdg, name), 0o755)) // root's
	r := good(t, command(t, path, "XDG_RUNTIME_DIR="+xdg, "TMPDIR="+tmp))
	if r.Place.Base != filepath.Join(tmp, name) || len(r.Warnings) != 1 {
		t.Errorf("%+v", r)
	}
	info, err := os.Stat(r.Place.Base)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", info.Mode())
	}
	must(t, os.Chmod(open, 0o777)) // not sticky
	r = good(t, command(t, path, "XDG_RUNTIME_DIR="+open, "TMPDIR="+tmp))
	if r.Place.Base != filepath.Join(tmp, name) || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "sticky") {
		t.Errorf("%+v", r)
	}
}

// TestReadOnlyInstallation: a tree that root or the bundle's owner has unpacked is
// used where it is, and the state is our own.
func TestReadOnlyInstallation(t *testing.T) {
	testenv.Needs(t, testenv.RootUser)
	for _, owner := range []int{0, stranger} {
		dir, tmp := testenv.Dir(t), testenv.Dir(t)
		path := bundle(t, dir, "one")
		must(t, os.Chown(path, owner, owner))
		must(t, os.Chown(dir, owner, owner))
		cmd := command(t, path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(owner), Gid: uint32(owner)}}
		first := good(t, cmd)
		before := snapshot(t, first.Place.Base)
		r := good(t, command(t, path, "TMPDIR="+tmp))
		if r.Place.Tree != first.Place.Tree || r.Place.Fresh || !strings.HasPrefix(r.Place.State, tmp) || r.Warnings != nil {
			t.Errorf("owner %d: %+v", owner, r)
		}
		for _, d := range []string{r.Place.Cache(), r.Place.Run(), r.Place.Log(), filepath.Join(r.Place.State, "cvmfs")} {
			if info, err := os.Stat(d); err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(testenv.UID()) {
				t.Errorf("owner %d: %s: %v", owner, d, err)
			}
		}
		if after := snapshot(t, first.Place.Base); after != before {
			t.Errorf("owner %d: before:\n%safter:\n%s", owner, before, after)
		}
	}
}
