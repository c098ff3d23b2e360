package rpmfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
	"github.com/google/rpmpack"

	"github.com/cvmfsbundle/cvmfsbundle/builder/compressed"
	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmtest"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

func none(string) bool { return false }

// pack makes a package without rpmbuild.
func pack(t testing.TB, compressor string) []byte {
	t.Helper()
	r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{Name: "x", Version: "1", Release: "2", Arch: "noarch", Epoch: rpmpack.NoEpoch, Compressor: compressor})
	if err != nil {
		t.Fatal(err)
	}
	r.AddFile(rpmpack.RPMFile{Name: "/usr/bin/x", Body: []byte("content"), Mode: 0o100755})
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openBytes(t testing.TB, data []byte) (*Package, error) {
	t.Helper()
	return open(bytes.NewReader(data))
}

// TestRealPackages has rpmbuild make a package of each payload compression.
func TestRealPackages(t *testing.T) {
	for _, tt := range []struct {
		payload string
		err     error
	}{
		{rpmtest.Gzip, nil}, {rpmtest.Xz, nil}, {rpmtest.Zstd, nil}, {rpmtest.Plain, nil},
		{rpmtest.Bzip2, nil}, {rpmtest.Lzma, compressed.ErrUnsupported},
	} {
		t.Run(tt.payload, func(t *testing.T) {
			dir := testenv.Dir(t)
			path := rpmtest.Build(t, dir, rpmtest.Spec{Name: "real", Version: "2~rc1", Epoch: "3", Payload: tt.payload, Files: []rpmtest.File{
				{Path: "/etc/a", Data: strings.Repeat("a", 100_000), Mode: 0o666},
				{Path: "/etc/b", Link: "/etc/a"},
				{Path: "/etc/.hidden", Data: "h", Mode: 0o600},
				{Path: "/etc/skipped/c", Data: "c", Mode: 0o644},
				{Path: "/bin/suid", Data: "s", Mode: 0o6755},
			}})
			p, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if header, payload := p.HasDigests(); !header || !payload {
				t.Errorf("digests: header %v, payload %v", header, payload)
			}
			want, err := exec.Command("rpm", "-qp", "--qf", "%{NAME}-%{EVR}.%{ARCH} %{BUILDTIME}", path).Output()
			if got := fmt.Sprintf("%s %d", p.NEVRA(), p.BuildTime()); err != nil || got != string(want) {
				t.Errorf("got %s, want %s, %v", got, want, err)
			}
			root, err := os.OpenRoot(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			_, err = p.Extract(t.Context(), root, func(path string) bool { return strings.Contains(path, "skipped") })
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if tt.err != nil {
				return
			}
			for path, want := range map[string]string{"etc/a": "-rw-r--r--", "etc/b": "Lrwxrwxrwx", "etc/.hidden": "-rw-------", "bin/suid": "-rwxr-xr-x"} {
				if fi, err := root.Lstat(path); err != nil || fi.Mode().String() != want {
					t.Errorf("%s: got %v, %v, want %s", path, fi, err, want)
				}
			}
			if _, err := root.Lstat("etc/skipped/c"); err == nil {
				t.Error("a skipped file was made")
			}
		})
	}
}

// TestEveryFlip flips one bit at many places: the digests inside catch all but those
// in the lead and in the signature header's own form, and nothing panics.
func TestEveryFlip(t *testing.T) {
	good := pack(t, "gzip")
	raw, err := readHeaders(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		p, err := openBytes(t, bad)
		if err == nil && at >= raw.header {
			t.Errorf("byte %d of %d: accepted as %s", at, len(good), p.NEVRA())
		}
	}
}

func TestTruncated(t *testing.T) {
	good := pack(t, "zstd")
	for n := 0; n < len(good); n += 7 {
		if _, err := openBytes(t, good[:n]); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrDigest) {
			t.Errorf("%d bytes of %d: got %v", n, len(good), err)
		}
	}
}

// TestClaims: headers that claim to be huge cost nothing.
func TestClaims(t *testing.T) {
	good := pack(t, "gzip")
	set := func(at int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.BigEndian.PutUint32(b[at:], v)
		return b
	}
	for name, data := range map[string][]byte{
		"entries":     set(leadSize+8, 0xffffffff),
		"all entries": set(leadSize+8, maxIndex),
		"store":       set(leadSize+12, 0xfffffff0),
		"all store":   set(leadSize+12, maxStore),
		"count":       set(leadSize+introSize+12, 0x7fffffff),
		"offset":      set(leadSize+introSize+8, 0xfffffff0),
		"type":        set(leadSize+introSize+4, 77),
		"null type":   set(leadSize+introSize+4, 0),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := openBytes(t, data)
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
				t.Errorf("allocated %d MB", grown>>20)
			}
			if err == nil && name != "null type" {
				t.Error("accepted")
			}
		})
	}
}

// An entry of a hand-made archive.
type entry struct {
	name  string
	mode  cpio.FileMode
	body  string
	links int
	ino   int64
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	for _, e := range entries {
		h := &cpio.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.body)), Links: max(e.links, 1), Inode: e.ino}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withPayload returns a package whose payload is replaced, without digests of it.
func withPayload(t testing.TB, cpio []byte) *Package {
	t.Helper()
	p, err := openBytes(t, pack(t, "gzip"))
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.payload = bytes.NewReader(cpio), 0
	return p
}

const regular, dir, link = cpio.TypeReg | 0o644, cpio.TypeDir | 0o755, cpio.TypeSymlink | 0o777

func TestHostileArchives(t *testing.T) {
	good := archive(t, entry{name: "./a", mode: regular, body: "a"})
	for _, tt := range []struct {
		name string
		data []byte
		want error
	}{
		{"parent", archive(t, entry{name: "../a", mode: regular}), ErrHostile},
		{"parent inside", archive(t, entry{name: "./a/../../b", mode: regular}), ErrHostile},
		{"two slashes", archive(t, entry{name: "//a", mode: regular}), ErrHostile},
		{"dot", archive(t, entry{name: "./a/./b", mode: regular}), ErrHostile},
		{"zero byte", archive(t, entry{name: "./a\x00b", mode: regular}), ErrHostile},
		{"slash at the end", archive(t, entry{name: "./a/", mode: regular}), ErrHostile},
		{"through a link", archive(t, entry{name: "./a", mode: link, body: "/tmp"}, entry{name: "./a/b", mode: regular}), ErrHostile},
		{"through an inner link", archive(t, entry{name: "./d", mode: dir}, entry{name: "./a", mode: link, body: "d"}, entry{name: "./a/b", mode: regular}), ErrHostile},
		{"directory over link", archive(t, entry{name: "./a", mode: link, body: "/"}, entry{name: "./a", mode: dir}), ErrHostile},
		{"file over link", archive(t, entry{name: "./a", mode: link, body: "/etc/passwd"}, entry{name: "./a", mode: regular, body: "x"}), ErrHostile},
		{"link over file", archive(t, entry{name: "./a", mode: regular, body: "x"}, entry{name: "./a", mode: link, body: "/etc"}), ErrHostile},
		{"twice", archive(t, entry{name: "./a", mode: regular, body: "x"}, entry{name: "./a", mode: regular, body: "x"}), ErrHostile},
		{"file below file", archive(t, entry{name: "./a", mode: regular}, entry{name: "./a/b", mode: regular}), ErrHostile},
		{"device", archive(t, entry{name: "./a", mode: cpio.TypeBlock | 0o666}), ErrHostile},
		{"character device", archive(t, entry{name: "./a", mode: cpio.TypeChar | 0o666}), ErrHostile},
		{"fifo", archive(t, entry{name: "./a", mode: cpio.TypeFifo | 0o666}), ErrHostile},
		{"socket", archive(t, entry{name: "./a", mode: cpio.TypeSocket | 0o666}), ErrHostile},
		{"zero byte in target", archive(t, entry{name: "./a", mode: link, body: "b\x00c"}), ErrFormat},
		{"two contents", archive(t, entry{name: "./a", mode: regular, links: 2, ino: 7, body: "x"}, entry{name: "./b", mode: regular, links: 2, ino: 7, body: "y"}), ErrHostile},
		{"hard link over file", archive(t, entry{name: "./b", mode: regular, body: "x"}, entry{name: "./b", mode: regular, links: 2, ino: 7}, entry{name: "./a", mode: regular, links: 2, ino: 7, body: "y"}), ErrHostile},
		{"hard link to nothing", archive(t, entry{name: "./a", mode: regular, links: 9, ino: 7}), nil},
		{"empty", nil, ErrFormat},
		{"no cpio", []byte("hello"), ErrFormat},
		{"no end", good[:116], ErrFormat},
		{"cut in a header", good[:50], ErrFormat},
		{"cut in content", archive(t, entry{name: "./a", mode: regular, body: strings.Repeat("x", 100)})[:150], ErrFormat},
		{"negative size", append(append(bytes.Clone(good[:54]), "-0000001"...), good[62:]...), ErrFormat},
	} {
		t.Run(tt.name, func(t *testing.T) {
			outer := t.TempDir()
			inner := filepath.Join(outer, "tree")
			if err := os.Mkdir(inner, 0o755); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(inner)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			made, err := withPayload(t, tt.data).Extract(t.Context(), root, none)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("got %v, %v, want %v", made, err, tt.want)
			}
			if got, _ := os.ReadDir(outer); len(got) != 1 {
				t.Errorf("outside the tree: %v", got)
			}
		})
	}
}

func TestSharedFiles(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	extract := func(entries ...entry) error {
		_, err := withPayload(t, archive(t, entries...)).Extract(t.Context(), root, none)
		return err
	}
	big := strings.Repeat("0123456789", 1000)
	if err := extract(entry{name: "./a", mode: regular, body: big}, entry{name: "./l", mode: link, body: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := extract(entry{name: "./a", mode: regular, body: big}, entry{name: "./l", mode: link, body: "a"}, entry{name: "./c", mode: regular, body: "c"}); err != nil {
		t.Errorf("the same files again: %v", err)
	}
	for name, e := range map[string]entry{
		"content": {name: "./a", mode: regular, body: big[:len(big)-1] + "X"},
		"length":  {name: "./a", mode: regular, body: big + "X"},
		"link":    {name: "./l", mode: link, body: "b"},
		"type":    {name: "./l", mode: regular, body: "a"},
	} {
		if err := extract(e); !errors.Is(err, errConflict) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestHardLinks(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = withPayload(t, archive(t,
		entry{name: "./a", mode: regular, links: 3, ino: 5},
		entry{name: "./x", mode: regular, links: 2, ino: 6},
		entry{name: "./d/b", mode: regular, links: 3, ino: 5},
		entry{name: "./c", mode: regular, links: 3, ino: 5, body: "content"},
		entry{name: "./y", mode: regular, links: 2, ino: 6},
	)).Extract(t.Context(), root, none)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range [][]string{{"a", "d/b", "c"}, {"x", "y"}} {
		first, err := root.Stat(group[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range group {
			if fi, err := root.Stat(name); err != nil || !os.SameFile(fi, first) {
				t.Errorf("%s is not %s: %v", name, group[0], err)
			}
		}
	}
}

func TestCancelled(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := withPayload(t, archive(t, entry{name: "./a", mode: regular})).Extract(ctx, root, none); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, c := range []string{"gzip", "xz", "zstd"} {
		f.Add(pack(f, c))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		p, err := openBytes(t, data)
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrDigest) {
			t.Errorf("got %v", err)
		}
		if err == nil && p.NEVRA() == "" {
			t.Error("no name")
		}
	})
}

func FuzzExtract(f *testing.F) {
	f.Add(archive(f, entry{name: "./a/b", mode: regular, body: "x"}, entry{name: "./c", mode: link, body: "/a"}))
	f.Add(archive(f, entry{name: "./a", mode: regular, links: 2, ino: 1}, entry{name: "./b", mode: regular, links: 2, ino: 1, body: "x"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		outer := t.TempDir()
		root, err := os.OpenRoot(outer)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		root.Mkdir("tree", 0o755)
		tree, err := root.OpenRoot("tree")
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		withPayload(t, data).Extract(t.Context(), tree, none)
		if got, _ := os.ReadDir(outer); len(got) != 1 {
			t.Errorf("outside the tree: %v", got)
		}
	})
}
