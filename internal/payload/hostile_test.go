package payload

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// entry is one entry of a forged tar stream.
type entry struct {
	tar.Header
	content string
}

func dirEntry(name string) entry {
	return entry{Header: tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}}
}

func fileEntry(name, content string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}, content}
}

func linkEntry(name, target string, flag byte) entry {
	return entry{Header: tar.Header{Name: name, Typeflag: flag, Linkname: target, Mode: 0o777}}
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// table is the file table that fits entries.
func table(entries ...entry) []File {
	var files []File
	for _, e := range entries {
		f := File{Path: strings.TrimSuffix(e.Name, "/"), Type: Dir, Mode: Mode(e.Mode)}
		switch e.Typeflag {
		case tar.TypeReg:
			sum := Digest(sha256.Sum256([]byte(e.content)))
			f.Type, f.Size, f.SHA256 = Regular, e.Size, &sum
		case tar.TypeSymlink:
			f.Type, f.Mode, f.Target = Symlink, 0, e.Linkname
		}
		files = append(files, f)
	}
	return files
}

// forge makes a bundle of a tar stream and a file table that is right in all that
// they do not make wrong; change may spoil more, or be nil.
func forge(t testing.TB, raw []byte, files []File, change func(m *Manifest)) []byte {
	t.Helper()
	stub := []byte("stub")
	data, err := encodeFrame(raw)
	if err != nil {
		t.Fatal(err)
	}
	m := &Manifest{
		Meta: Meta{Kind: Cvmfsexec, Client: RPM},
		Stub: Stub{Length: int64(len(stub)), SHA256: sha256.Sum256(stub)}, Files: files,
		Frames: []Frame{{Offset: int64(len(stub)), Length: int64(len(data)), Raw: int64(len(raw)), SHA256: sha256.Sum256(data)}},
	}
	if change != nil {
		change(m)
	}
	text, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	tr := Trailer{
		Kind: Cvmfsexec, PayloadOffset: int64(len(stub)), PayloadLength: int64(len(data)),
		ManifestOffset: int64(len(stub)+len(data)) + skipSize, ManifestLength: int64(len(text)), ID: sha256.Sum256(text),
	}
	head, tail := tr.skipHeader(), tr.bytes()
	return bytes.Join([][]byte{stub, data, head[:], text, tail[:]}, nil)
}

// try opens and unpacks data in a directory inside an otherwise empty one, and
// fails the test if anything appears outside.
func try(t testing.TB, data []byte) error {
	t.Helper()
	b, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	outer := t.TempDir()
	inner := filepath.Join(outer, "a", "b")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(inner)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	err = b.Unpack(t.Context(), root)
	if verr := b.Verify(t.Context()); (verr == nil) != (err == nil) {
		t.Errorf("Unpack says %v, Verify %v", err, verr)
	}
	for _, dir := range []string{outer, filepath.Dir(inner)} {
		if list, _ := os.ReadDir(dir); len(list) != 1 {
			t.Errorf("%s: %v", dir, list)
		}
	}
	return err
}

// TestHostile: archives that no builder of ours makes are refused as damaged.
func TestHostile(t *testing.T) {
	d, f := dirEntry("dist/"), fileEntry("dist/f", "hello")
	g, h := fileEntry("dist/g", "other"), fileEntry("dist/f", "HELLO")
	up := linkEntry("dist/up", "..", tar.TypeSymlink)
	good := []entry{d, f, g, up}
	if err := try(t, forge(t, tarOf(t, good...), table(good...), nil)); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	device := entry{Header: tar.Header{Name: "dist/f", Typeflag: tar.TypeChar, Mode: 0o644}}
	for _, tt := range []struct {
		name  string
		raw   []byte
		files []File
		want  string
	}{
		{"dot-dot in the table", tarOf(t, d, fileEntry("../x", "x")), table(d, fileEntry("../x", "x")), "path"},
		{"dot-dot inside", tarOf(t, d, fileEntry("dist/../../x", "x")), table(d, fileEntry("dist/../../x", "x")), "path"},
		{"absolute", tarOf(t, fileEntry("/x", "x")), table(fileEntry("/x", "x")), "path"},
		{"dot-dot in the tar only", tarOf(t, d, fileEntry("../f", "hello")), table(d, f), "where the manifest has"},
		{"absolute in the tar only", tarOf(t, d, fileEntry("/dist/f", "hello")), table(d, f), "where the manifest has"},
		{"absolute link", tarOf(t, d, linkEntry("dist/l", "/etc", tar.TypeSymlink)), table(d, linkEntry("dist/l", "/etc", tar.TypeSymlink)), "absolute"},
		{"link out", tarOf(t, d, linkEntry("dist/l", "../..", tar.TypeSymlink)), table(d, linkEntry("dist/l", "../..", tar.TypeSymlink)), "out of the tree"},
		{"other link in the tar", tarOf(t, d, linkEntry("dist/up", "../..", tar.TypeSymlink)), table(d, up), "where the manifest has"},
		{"file through a link", tarOf(t, d, up, fileEntry("dist/up/x", "x")), table(d, up, fileEntry("dist/up/x", "x")), "no directory before"},
		{"link in place of a directory", tarOf(t, linkEntry("dist", ".", tar.TypeSymlink), f), table(d, f), "where the manifest has"},
		{"no directory", tarOf(t, f), table(f), "no directory before"},
		{"hard link", tarOf(t, d, linkEntry("dist/f", "/etc/passwd", tar.TypeLink)), table(d, f), "where the manifest has"},
		{"device", tarOf(t, d, device), table(d, f), "where the manifest has"},
		{"path twice", tarOf(t, d, f, h), table(d, f, h), "twice"},
		{"entry twice", tarOf(t, d, f, f), table(d, f), "not in the manifest"},
		{"extra file", tarOf(t, d, f, g), table(d, f), "not in the manifest"},
		{"missing file", tarOf(t, d, f), table(d, f, g), "missing"},
		{"other order", tarOf(t, d, g, f), table(d, f, g), "where the manifest has"},
		{"other content", tarOf(t, d, h), table(d, f), "SHA-256"},
		{"other size", tarOf(t, d, fileEntry("dist/f", "hell")), table(d, f), "where the manifest has"},
		{"cut in a file", tarOf(t, d, f)[:512+512+3], table(d, f), "payload"},
		{"data behind", append(tarOf(t, d, f), 1), table(d, f), "after the end"},
		{"no tar", bytes.Repeat([]byte("x"), 5000), table(d, f), "payload"},
		{"no files", tarOf(t), nil, "empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := try(t, forge(t, tt.raw, tt.files, nil))
			if !errors.Is(err, ErrCorrupt) || exit.CodeOf(err) != exit.Corrupt || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want ErrCorrupt with %q", err, tt.want)
			}
		})
	}
}

// TestHostileManifest: numbers that do not fit the file or each other.
func TestHostileManifest(t *testing.T) {
	good := []entry{dirEntry("dist/"), fileEntry("dist/f", strings.Repeat("zero", 1<<18))}
	raw := tarOf(t, good...)
	for _, tt := range []struct {
		name   string
		change func(m *Manifest)
		want   string
	}{
		{"bomb", func(m *Manifest) { m.Frames[0].Raw -= 1024 }, "goes on after"},
		{"short frame", func(m *Manifest) { m.Frames[0].Raw++ }, "less than"},
		{"huge frame", func(m *Manifest) { m.Frames[0].Raw = math.MaxInt64 }, "limit"},
		{"negative frame", func(m *Manifest) { m.Frames[0].Raw = -1 }, "limit"},
		{"frames that overflow", func(m *Manifest) { m.Frames[0].Length = math.MaxInt64 }, "the payload"},
		{"frame elsewhere", func(m *Manifest) { m.Frames[0].Offset-- }, "begins at"},
		{"too few frames", func(m *Manifest) { m.Frames = nil }, "frames end"},
		{"too many frames", func(m *Manifest) { m.Frames = append(m.Frames, m.Frames[0]) }, "begins at"},
		{"other frame digest", func(m *Manifest) { m.Frames[0].SHA256[0]++ }, "frame 0"},
		{"huge file", func(m *Manifest) { m.Files[1].Size = math.MaxInt64 }, "content"},
		{"negative file", func(m *Manifest) { m.Files[1].Size = -1 }, "size -1"},
		{"more content than stream", func(m *Manifest) { m.Files[1].Size = 1 << 30 }, "tar stream"},
		{"setuid", func(m *Manifest) { m.Files[1].Mode = 0o4755 }, "mode 4755"},
		{"group may write", func(m *Manifest) { m.Files[1].Mode = 0o664 }, "mode 0664"},
		{"no digest", func(m *Manifest) { m.Files[1].SHA256 = nil }, "dist/f"},
		{"type", func(m *Manifest) { m.Files[1].Type = "device" }, "type"},
		{"kind", func(m *Manifest) { m.Kind = "other" }, "kind"},
		{"kind of the trailer", func(m *Manifest) { m.Kind = Singcvmfs }, "trailer says"},
		{"client", func(m *Manifest) { m.Client = "" }, "client"},
		{"stub", func(m *Manifest) { m.Stub.Length++ }, "stub"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := try(t, forge(t, raw, table(good...), tt.change))
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want ErrCorrupt with %q", err, tt.want)
			}
		})
	}
}

func TestCheckTarget(t *testing.T) {
	for _, tt := range []struct {
		name, target string
		ok           bool
	}{
		{"dist/a/l", "b", true}, {"dist/a/l", "../b/c", true}, {"dist/a/l", "../..", true}, {"dist/a/l", "./../x", true},
		{"dist/a/l", "../../..", false}, {"dist/a/l", "b/../c", false}, {"dist/a/l", "/x", false}, {"dist/a/l", "", false},
		{"l", "..", false}, {"l", ".", true}, {"l", "a\x00b", false}, {"l", "\xff", false}, {"l", strings.Repeat("x", 5000), false},
	} {
		if err := CheckTarget(tt.name, tt.target); (err == nil) != tt.ok {
			t.Errorf("CheckTarget(%q, %.20q) = %v", tt.name, tt.target, err)
		}
	}
}

func TestLikeness(t *testing.T) {
	for _, name := range []string{"usr/lib64/libcvmfs_fuse.so", "usr/lib/libcvmfs_fuse3.so.2.11", "x/libcvmfs_fuse3_debug.so.2", "libcvmfs_fuse_debug.so"} {
		if got := likeness(name); got != "libcvmfs_fuse" && got != "libcvmfs_fuse3" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestModeOf(t *testing.T) {
	for m, want := range map[fs.FileMode]Mode{
		0o4777: 0o755, 0o755 | fs.ModeSetuid | fs.ModeSetgid: 0o755, 0o400: 0o600, 0o666: 0o644, fs.ModeDir | 0o500: 0o700, fs.ModeDir | fs.ModeSticky | 0o777: 0o755,
	} {
		if got := ModeOf(m); got != want {
			t.Errorf("ModeOf(%v) = %04o, want %04o", m, got, want)
		}
	}
}
