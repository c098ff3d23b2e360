package payload_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

var meta = payload.Meta{
	Kind: payload.Cvmfsexec, Profile: "demo", Machine: "rhel9-x86_64",
	Client: payload.Builtin, ClientVersion: "1.2.3", StubVersion: "1.0", Epoch: 1700000000,
	Packages: []payload.Package{{NEVRA: "cvmfs-0:2.13.2-1.el9.x86_64", URL: "https://example.org/cvmfs.rpm", SHA256: sha256.Sum256(nil)}},
}

var stub = []byte("\x7fELF, or nearly so\n")

// tree makes a small dist and returns its path.
func tree(t testing.TB) string {
	t.Helper()
	dist := filepath.Join(t.TempDir(), "anything")
	for _, d := range []string{"etc/cvmfs/empty", "usr/bin", "usr/lib64"} {
		must(t, os.MkdirAll(filepath.Join(dist, d), 0o755))
	}
	put := func(name, content string, mode fs.FileMode) {
		p := filepath.Join(dist, name)
		must(t, os.WriteFile(p, []byte(content), 0o600))
		must(t, os.Chmod(p, mode))
	}
	put(".cvmfsexecdist", "disttype: standard\nmachtype: rhel9-x86_64\nclient: builtin\n", 0o644)
	put("etc/cvmfs/default.local", "CVMFS_HTTP_PROXY=DIRECT\n", 0o664)
	put("etc/cvmfs/nothing", "", 0o400)
	put("usr/bin/cvmfs2", strings.Repeat("code ", 40000), 0o755|fs.ModeSetuid)
	put("usr/lib64/"+strings.Repeat("long", 60)+".so.1", "long name", 0o755)
	put("usr/lib64/mit Umlaut ä 'und' \"mehr\"", "x", 0o644)
	must(t, os.Symlink("../lib64", filepath.Join(dist, "usr/bin/lib")))
	must(t, os.Link(filepath.Join(dist, "usr/bin/cvmfs2"), filepath.Join(dist, "usr/bin/cvmfs2.again")))
	return dist
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openRoot(t testing.TB, dir string) *os.Root {
	t.Helper()
	r, err := os.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

func write(t testing.TB, dist string) []byte {
	t.Helper()
	var b bytes.Buffer
	_, _, err := payload.Write(t.Context(), &b, payload.Source{Stub: bytes.NewReader(stub), Dist: openRoot(t, dist)}, meta)
	must(t, err)
	return b.Bytes()
}

func open(data []byte) (*payload.Bundle, error) {
	return payload.Open(bytes.NewReader(data), int64(len(data)))
}

// unpack opens and unpacks data into a new directory.
func unpack(t testing.TB, data []byte) (dir string, err error) {
	dir = t.TempDir()
	b, err := open(data)
	if err != nil {
		return dir, err
	}
	return dir, b.Unpack(t.Context(), openRoot(t, dir))
}

func TestRoundTrip(t *testing.T) {
	dist := tree(t)
	data := write(t, dist)
	dir, err := unpack(t, data)
	must(t, err)
	if diff := cmp.Diff(list(t, dist), list(t, filepath.Join(dir, "dist"))); diff != "" {
		t.Errorf("tree after a round trip (-want +got):\n%s", diff)
	}
	b, err := open(data)
	must(t, err)
	must(t, b.Verify(t.Context()))
	if diff := cmp.Diff(meta, b.Manifest.Meta); diff != "" {
		t.Error(diff)
	}
	id, err := payload.ParseID(b.ID().String())
	if err != nil || id != b.ID() {
		t.Errorf("ParseID(%s) = %v, %v", b.ID(), id, err)
	}
}

// list describes each file below dir as a bundle would keep it.
func list(t testing.TB, dir string) map[string]string {
	out := map[string]string{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			out[rel] = fmt.Sprintf("dir %04o", payload.ModeOf(info.Mode()))
		case d.Type() == fs.ModeSymlink:
			target, _ := os.Readlink(p)
			out[rel] = "-> " + target
		default:
			content, _ := os.ReadFile(p)
			out[rel] = fmt.Sprintf("%04o %x", payload.ModeOf(info.Mode()), sha256.Sum256(content))
		}
		return nil
	}))
	return out
}

// TestUnpackedModes: what is unpacked has the mode of the table, whatever the
// umask and the mode in the dist.
func TestUnpackedModes(t *testing.T) {
	dir, err := unpack(t, write(t, tree(t)))
	must(t, err)
	for name, want := range map[string]fs.FileMode{
		"dist":                         0o755 | fs.ModeDir,
		"dist/usr/bin/cvmfs2":          0o755,
		"dist/etc/cvmfs/default.local": 0o644,
		"dist/etc/cvmfs/nothing":       0o600,
	} {
		info, err := os.Lstat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode() != want {
			t.Errorf("%s: mode %v, want %v", name, info.Mode(), want)
		}
	}
}

func TestReproducible(t *testing.T) {
	dist := tree(t)
	first := write(t, dist)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, n := range []int{1, 7} {
		runtime.GOMAXPROCS(n)
		if !bytes.Equal(first, write(t, dist)) {
			t.Errorf("GOMAXPROCS=%d gives other bytes", n)
		}
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if out, err := exec.Command("cp", "-r", dist, copied).CombinedOutput(); err != nil { // other times, no hard link
		t.Fatalf("cp: %v: %s", err, out)
	}
	must(t, os.Chmod(filepath.Join(copied, "usr/bin/cvmfs2"), 0o755))
	must(t, os.Chmod(filepath.Join(copied, "usr/bin/cvmfs2.again"), 0o755))
	if !bytes.Equal(first, write(t, copied)) {
		t.Error("a copy of the tree gives other bytes")
	}
}

// TestPlainTools: zstd and tar read the payload without us.
func TestPlainTools(t *testing.T) {
	testenv.Needs(t, testenv.Tool("zstd", "zstd"), testenv.Tool("tar", "tar"), testenv.Tool("bash", "bash"))
	dist := tree(t)
	data := write(t, dist)
	b, err := open(data)
	must(t, err)
	file, dir := filepath.Join(t.TempDir(), "bundle"), t.TempDir()
	must(t, os.WriteFile(file, data, 0o644))
	run := func(script string) string {
		cmd := exec.Command("bash", "-eo", "pipefail", "-c", script)
		cmd.Env = append(os.Environ(), "FILE="+file, "DIR="+dir,
			fmt.Sprintf("START=%d", b.Trailer.PayloadOffset+1))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	run(`tail -c +$START "$FILE" | zstd -t`)
	names := run(`tail -c +$START "$FILE" | zstd -dc | tar -t`)
	if got := strings.Count(names, "\n"); got != len(b.Manifest.Files) {
		t.Errorf("tar lists %d files, the manifest %d:\n%s", got, len(b.Manifest.Files), names)
	}
	run(`tail -c +$START "$FILE" | zstd -dc | tar -x -C "$DIR"`)
	if diff := cmp.Diff(list(t, dist), list(t, filepath.Join(dir, "dist"))); diff != "" {
		t.Errorf("tree by tar (-want +got):\n%s", diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(dist string) error
		want string
	}{
		{"absolute link", func(d string) error { return os.Symlink("/etc/passwd", d+"/l") }, "absolute"},
		{"link out", func(d string) error { return os.Symlink("../../x", d+"/l") }, "out of the tree"},
		{"link through link", func(d string) error { return os.Symlink("usr/bin/lib/../..", d+"/l") }, "after a name"},
		{"fifo", func(d string) error { return exec.Command("mkfifo", d+"/p").Run() }, "neither a file"},
		{"name that is no text", func(d string) error { return os.WriteFile(d+"/\xff", nil, 0o644) }, "path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dist := tree(t)
			must(t, tt.make(dist))
			_, _, err := payload.Write(t.Context(), io.Discard, payload.Source{Stub: bytes.NewReader(stub), Dist: openRoot(t, dist)}, meta)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// TestFlippedBit: no byte of a bundle can change without being noticed.
func TestFlippedBit(t *testing.T) {
	data := write(t, tree(t))
	step := max(1, len(data)/testenv.Count(400, 4000))
	for at := 0; at < len(data); at += step {
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (at % 8)
		b, err := open(bad)
		if err == nil {
			err = b.Verify(t.Context())
		}
		if !errors.Is(err, payload.ErrCorrupt) && !errors.Is(err, payload.ErrNotBundle) || exit.CodeOf(err) != exit.Corrupt {
			t.Errorf("byte %d of %d: %v", at, len(data), err)
		}
	}
}

func TestTruncated(t *testing.T) {
	data := write(t, tree(t))
	step := max(1, len(data)/200)
	for n := 0; n < len(data); n += step {
		if b, err := open(data[:n]); err == nil || exit.CodeOf(err) != exit.Corrupt {
			t.Errorf("%d of %d bytes: %v, %v", n, len(data), b, err)
		}
	}
}

type failing struct {
	io.ReaderAt
	from int64
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off < f.from && off+int64(len(p)) > 30 {
		return 0, errors.New("input/output error")
	}
	return f.ReaderAt.ReadAt(p, off)
}

// TestReadError: a disk that fails is not called a damaged bundle.
func TestReadError(t *testing.T) {
	data := write(t, tree(t))
	b, err := open(data)
	must(t, err)
	bad, err := payload.Open(failing{bytes.NewReader(data), b.Trailer.PayloadOffset + b.Trailer.PayloadLength}, int64(len(data)))
	must(t, err)
	err = bad.Unpack(t.Context(), openRoot(t, t.TempDir()))
	if err == nil || errors.Is(err, payload.ErrCorrupt) || !strings.Contains(err.Error(), "input/output error") {
		t.Errorf("error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	b, err := open(write(t, tree(t)))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Unpack(ctx, openRoot(t, t.TempDir())); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
