package builder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmtest"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// listing describes every file of a tree in a line.
func listing(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	inodes := map[uint64]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := os.Lstat(p)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		line := fmt.Sprintf("%q %v", rel, fi.Mode())
		switch {
		case fi.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			ino := fi.Sys().(*syscall.Stat_t).Ino
			if inodes[ino] == "" {
				inodes[ino] = rel
			}
			if len(data) > 100 {
				data = fmt.Appendf(nil, "%d bytes, %x", len(data), data[len(data)-20:])
			}
			line += fmt.Sprintf(" %q same as %q mtime %d", data, inodes[ino], fi.ModTime().Unix())
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// reference unpacks packages with rpm2cpio and cpio and does makedist's steps to the
// tree.
func reference(t testing.TB, dir string, rpms ...string) {
	t.Helper()
	for _, rpm := range rpms {
		cmd := exec.Command("sh", "-c", `rpm2cpio "$1" | cpio -idmu --quiet`, "sh", rpm)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", rpm, err, out)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "usr/lib/.build-id")); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "usr/lib")) // cpio did not make it for anything else
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		target, err := os.Readlink(p)
		if err != nil { // a file or directory: the owner may read and write, others not write
			fi, err := os.Lstat(p)
			if err != nil {
				return err
			}
			mode := fi.Mode().Perm()&^0o022 | 0o600
			if d.IsDir() {
				mode |= 0o100
			}
			return os.Chmod(p, mode)
		}
		if filepath.IsAbs(target) {
			target, _ = filepath.Rel(filepath.Dir(p), filepath.Join(dir, target))
		} else if strings.HasPrefix(target, "../../../../") {
			target = "../../../etc/cvmfs"
		}
		return errors.Join(os.Remove(p), os.Symlink(target, p))
	})
	for name, text := range map[string]string{
		"etc/os-release": "ID_LIKE=\"rhel\"\nVERSION_ID=\"9\"\n",
		".cvmfsexecdist": "disttype: standard\nmachtype: rhel9-x86_64\nclient: rpm\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDistIsMakedists compares the tree of each shipped profile with one that
// rpm2cpio, cpio and makedist's steps give.
func TestDistIsMakedists(t *testing.T) {
	s := newSite(t)
	testenv.Needs(t, testenv.Tool("rpm2cpio", "rpm"), testenv.Tool("cpio", "cpio"))
	cern := func(version string) []string {
		return []string{
			cernDir + "/Packages/cvmfs-" + version + "-1.el9.x86_64.rpm",
			cernDir + "/Packages/cvmfs-libs-" + version + "-1.el9.x86_64.rpm",
			cernDir + "/Packages/cvmfs-fuse3-" + version + "-1.el9.x86_64.rpm",
			almaDir + "/Packages/fuse3-libs-3.10.2-1.x86_64.rpm",
		}
	}
	wpad := func(first, second string) string {
		return "CVMFS_HTTP_PROXY=\"auto;DIRECT\"\nCVMFS_PAC_URLS=\"http://grid-wpad/wpad.dat;http://wpad/wpad.dat;http://cernvm-wpad." + first +
			"/wpad.dat;http://cernvm-wpad." + second + "/wpad.dat\"\n"
	}
	for _, tt := range []struct {
		profile, version string
		rpms             []string
		local            string
	}{
		{"osg", "", append(cern("2.12.6"), // the version that the OSG's repository has
			osgDir+"/Packages/c/cvmfs-config-osg-2.10-1.noarch.rpm",
			osgDir+"/Packages/c/cvmfs-x509-helper-1.0-1.x86_64.rpm",
			epelDir+"/Packages/s/scitokens-cpp-1.0-1.x86_64.rpm"), wpad("fnal.gov", "cern.ch")},
		{"default", "", append(cern("2.13.1"), cernDir+"/cvmfs-config-default-2.2-1.noarch.rpm"), wpad("cern.ch", "fnal.gov")},
		{"none", "", cern("2.13.1"), wpad("cern.ch", "fnal.gov")},
		{"none", "2.9.4", slices.Delete(cern("2.9.4"), 1, 2), wpad("cern.ch", "fnal.gov")},
		{"none", "2.12.6-1.el9", cern("2.12.6"), wpad("cern.ch", "fnal.gov")},
	} {
		t.Run(tt.profile+tt.version, func(t *testing.T) {
			o := s.options(t, tt.profile)
			o.Version = tt.version
			o.Local, o.Set = []string{"# local"}, []string{"CVMFS_X=it's $(x)"}
			if err := Dist(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			want := t.TempDir()
			for i, r := range tt.rpms {
				tt.rpms[i] = filepath.Join(s.dir, r)
			}
			reference(t, want, tt.rpms...)
			local := tt.local + "# local\nCVMFS_X='it'\\''s $(x)'\n"
			if err := os.WriteFile(filepath.Join(want, "etc/cvmfs/default.local"), []byte(local), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, f := range []string{"etc/os-release", ".cvmfsexecdist", "etc/cvmfs/default.local"} { // made now, here and there
				for _, d := range []string{want, o.Output} {
					fi, _ := os.Stat(filepath.Join(want, "usr/bin/cvmfs2"))
					if err := os.Chtimes(filepath.Join(d, f), fi.ModTime(), fi.ModTime()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if diff := cmp.Diff(listing(t, o.Output), listing(t, want)); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
			onlyOutput(t, o.Output)
		})
	}
}

// onlyOutput checks that nothing else lies beside an output.
func onlyOutput(t testing.TB, output string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(output))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(output) {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

// absent checks that nothing was left at all.
func absent(t testing.TB, output string) {
	t.Helper()
	if _, err := os.Lstat(output); err == nil {
		t.Errorf("%s was written", output)
	}
	onlyOutput(t, output)
}

func TestUnresolved(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		name    string
		change  func(o *Options)
		code    exit.Code
		message string
		hint    string
	}{
		{"version", func(o *Options) { o.Version = "9.9" }, exit.Unresolved, `has no version 9.9 of package "cvmfs" for x86_64`, "it has 2.13.1, 2.12.6, 2.9.4"},
		{"egi", func(o *Options) { *o = s.options(t, "egi") }, exit.Unreachable, "the server answers 404", ""},
		{"repository", func(o *Options) { o.Mirrors = s.mirrors("http://127.0.0.1:1") }, exit.Unreachable, "connection refused", ""},
		{"package", func(o *Options) {
			o.Mirrors = append(o.Mirrors, profiles.Mirror{From: "https://repo.almalinux.org/almalinux/9/AppStream/x86_64/os", To: s.url + "/" + osgDir})
		}, exit.Unresolved, `has no package "fuse3-libs" for x86_64`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := s.options(t, "none")
			tt.change(&o)
			err := Dist(t.Context(), o)
			if got := exit.CodeOf(err); got != tt.code || !strings.Contains(fmt.Sprint(err), tt.message) {
				t.Errorf("got %d, %v, want %d, %q", got, err, tt.code, tt.message)
			}
			if got := strings.Join(exit.HintsOf(err), "; "); !strings.Contains(got, tt.hint) {
				t.Errorf("got hints %q, want %q", got, tt.hint)
			}
			absent(t, o.Output)
		})
	}
}

// TestNginx builds from a server that is not ours.
func TestNginx(t *testing.T) {
	s := newSite(t)
	o := s.options(t, "osg")
	o.Mirrors = s.mirrors(rpmtest.Nginx(t, s.dir))
	if err := Dist(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(o.Output, "usr/lib64/libcvmfs_fuse3.so.2.12.6")); err != nil {
		t.Error(err)
	}
}
