package catalog

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// memFile is a catalog in memory. It must be closed once and not read after that.
type memFile struct {
	*bytes.Reader
	open *atomic.Int64
	done atomic.Bool
}

func newMemFile(data []byte, open *atomic.Int64) *memFile {
	open.Add(1)
	return &memFile{Reader: bytes.NewReader(data), open: open}
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if f.done.Load() {
		return 0, os.ErrClosed
	}
	return f.Reader.ReadAt(p, off)
}

func (f *memFile) Close() error {
	if f.done.Swap(true) {
		panic("closed twice")
	}
	f.open.Add(-1)
	return nil
}

// repository loads catalogs from a Stratum 1's directory.
type repository struct {
	dir  string
	open atomic.Int64
}

func (r *repository) LoadCatalog(_ context.Context, h object.Hash, _ string) (File, error) {
	packed, err := os.ReadFile(filepath.Join(r.dir, h.Path('C')))
	if err != nil {
		return nil, err
	}
	if got := h.Algorithm().Sum(packed); got != h {
		return nil, fmt.Errorf("hash is %s", got)
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(z)
	return newMemFile(data, &r.open), err
}

// fixture unpacks a repository of testdata/repos and returns its root hash.
func fixture(t testing.TB, name string) (*repository, object.Hash) {
	t.Helper()
	archive := filepath.Join(testenv.Root(), "testdata/repos", name+".tar.zst")
	top := t.TempDir()
	testenv.Untar(t, archive, top)
	r := &repository{dir: filepath.Join(top, name)}
	manifest, err := os.ReadFile(filepath.Join(r.dir, ".cvmfspublished"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(manifest)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "C"); ok {
			h, err := object.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			return r, h
		}
	}
	t.Fatal("no root hash")
	return nil, object.Hash{}
}

// encode writes bytes as listtree.py does.
func encode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 0x21 && c <= 0x7e && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return cmp.Or(b.String(), "-")
}

func fixtureEnv(name string) (string, bool) {
	v, ok := map[string]string{"CVMFS_ARCH": "x86_64"}[name]
	return v, ok
}

// line describes an entry as listtree.py does, all but the content.
func line(t testing.TB, tree *Tree, path string, e *Entry) string {
	t.Helper()
	kinds := map[Kind]string{Regular: "f", Directory: "d", Symlink: "l", FIFO: "p", Socket: "s", CharDevice: "c", BlockDevice: "b"}
	size, nlink, target := e.Size, fmt.Sprint(e.Nlink), "-"
	if e.Kind() == Symlink {
		expanded := ExpandSymlink(e.Symlink, fixtureEnv)
		size, target = int64(len(expanded)), encode(expanded)
	}
	sizeText := fmt.Sprint(size)
	if e.IsDir() {
		sizeText, nlink = "-", "-"
	}
	xattrs, err := tree.Xattrs(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if e.HasXattrs != (len(xattrs) > 0) {
		t.Errorf("%s: HasXattrs is %v, attributes %v", path, e.HasXattrs, xattrs)
	}
	var list []string
	for _, x := range xattrs {
		if strings.HasPrefix(x.Name, "user.") {
			list = append(list, x.Name+"="+hex.EncodeToString(x.Value))
		}
	}
	slices.Sort(list)
	return strings.Join([]string{encode(cmp.Or(path, "/")), kinds[e.Kind()], fmt.Sprintf("%04o", e.Mode&0o7777), fmt.Sprint(e.UID), fmt.Sprint(e.GID),
		sizeText, fmt.Sprint(e.ModTime().UnixNano()), nlink, target, cmp.Or(strings.Join(list, ";"), "-")}, "\t")
}

// walk describes everything below dir and checks that listing and lookup agree.
func walk(t testing.TB, tree *Tree, dir string, visit func(path string, e *Entry)) {
	t.Helper()
	var list []Entry
	if err := tree.List(t.Context(), dir, func(e Entry) error { list = append(list, e); return nil }); err != nil {
		t.Fatalf("list %q: %v", dir, err)
	}
	for i := range list {
		path := dir + "/" + list[i].Name
		e, err := tree.Lookup(t.Context(), path)
		if err != nil {
			t.Fatalf("look up %q: %v", path, err)
		}
		if diff := gocmp.Diff(list[i], e, gocmp.AllowUnexported(Entry{}, object.Hash{})); diff != "" {
			t.Errorf("%s: lookup differs from listing:\n%s", path, diff)
		}
		visit(path, &e)
		if e.IsDir() {
			walk(t, tree, path, visit)
		}
	}
}

func TestFixtures(t *testing.T) {
	for _, name := range []string{"small.example.org", "shake.example.org", "cfg.example.org"} {
		for _, watermark := range []int{0, 1, 2} {
			t.Run(fmt.Sprintf("%s, watermark %d", name, watermark), func(t *testing.T) {
				repo, root := fixture(t, name)
				tree, err := NewTree(t.Context(), repo, root, WithWatermark(watermark))
				if err != nil {
					t.Fatal(err)
				}
				compareListing(t, tree, filepath.Join(testenv.Root(), "testdata/repos", name+".expected.tsv"))
				if n := tree.Attached(); int64(n) != repo.open.Load() || watermark > 0 && n > watermark+2 {
					t.Errorf("%d catalogs attached, %d open", n, repo.open.Load())
				}
				tree.Close()
				if n := repo.open.Load(); n != 0 {
					t.Errorf("%d catalogs open after Close", n)
				}
			})
		}
	}
}

// compareListing walks the tree twice: it must be what the reference client shows,
// with inode numbers that are unique and stay.
func compareListing(t *testing.T, tree *Tree, expected string) {
	t.Helper()
	data, err := os.ReadFile(expected)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for l := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSuffix(l, "\n"), "\t")
		want = append(want, strings.Join(slices.Delete(f, 9, 10), "\t"))
	}
	inodes := map[string]uint64{}
	for range 2 {
		var got []string
		byInode := map[uint64]string{}
		visit := func(path string, e *Entry) {
			got = append(got, line(t, tree, path, e))
			if other, ok := byInode[e.Inode]; ok && (e.LinkGroup == 0 || parent(other) != parent(path)) {
				t.Errorf("%q and %q have the inode %d", other, path, e.Inode)
			}
			byInode[e.Inode] = path
			if old, ok := inodes[path]; ok && old != e.Inode {
				t.Errorf("%q: inode %d, was %d", path, e.Inode, old)
			}
			inodes[path] = e.Inode
			if e.Inode > tree.Inodes().Max() {
				t.Errorf("%q: inode %d is over the maximum %d", path, e.Inode, tree.Inodes().Max())
			}
			if chunks, err := tree.Chunks(t.Context(), path); err != nil || (len(chunks) > 0) != e.IsChunked() {
				t.Errorf("%q: %d chunks, %v", path, len(chunks), err)
			}
		}
		e, err := tree.Lookup(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		visit("", &e)
		walk(t, tree, "", visit)
		slices.Sort(got)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-reference client, +this)\n%s", diff)
		}
	}
	if g := "/hard/a"; inodes[g] != 0 && (inodes[g] != inodes["/hard/c"] || inodes[g] == inodes["/hard/sub/d"]) {
		t.Errorf("hard links: %v", inodes)
	}
}

// TestSnapshots walks what is hidden: bind mountpoints and the nested catalogs below
// them.
func TestSnapshots(t *testing.T) {
	repo, root := fixture(t, "shake.example.org")
	tree, err := NewTree(t.Context(), repo, root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	e, err := tree.Lookup(t.Context(), "/.cvmfs")
	if err != nil || !e.IsHidden() || !e.IsMountpoint() {
		t.Fatalf("/.cvmfs: %+v, %v", e, err)
	}
	var names []string
	walk(t, tree, "/.cvmfs/snapshots", func(path string, e *Entry) {
		if strings.Count(path, "/") == 3 || strings.HasSuffix(path, "/nested/f") {
			names = append(names, path)
		}
		if e.Name != path[strings.LastIndexByte(path, '/')+1:] {
			t.Errorf("%q: name %q", path, e.Name)
		}
	})
	slices.Sort(names)
	want := []string{"/.cvmfs/snapshots/generic-2026-11-22T08:32:57Z", "/.cvmfs/snapshots/rev1", "/.cvmfs/snapshots/rev1/nested/f",
		"/.cvmfs/snapshots/rev2", "/.cvmfs/snapshots/rev2/nested/f", "/.cvmfs/snapshots/rev3", "/.cvmfs/snapshots/rev3/nested/f"}
	if diff := gocmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	older := "/.cvmfs/snapshots/rev3/.cvmfs/snapshots/rev2/nested"
	info, err := tree.Info(t.Context(), older+"/f")
	if err != nil || info.Mountpoint != older || info.Properties.RootPrefix != "/nested" {
		t.Errorf("catalog of %s: %+v, %v", older, info, err)
	}
	e, err = tree.Lookup(t.Context(), "/.cvmfs/snapshots/rev2/plain/rev3")
	if err != ErrNotFound {
		t.Errorf("rev3 in rev2: %+v, %v", e, err)
	}
}

func TestInfo(t *testing.T) {
	repo, root := fixture(t, "small.example.org")
	tree, err := NewTree(t.Context(), repo, root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	// As the reference client has it, see shared/fixtures/samples.
	want := "chunked,1\nchunked_size,26214404\nchunks,7\ndir,77\nexternal,0\nexternal_file_size,0\nfile_size,36096891\nnested,4\nregular,398\nspecial,0\nsymlink,6\nxattr,1\n"
	c, err := tree.Counters(t.Context())
	if err != nil || c.String() != want || c.Entries() != 481 {
		t.Errorf("counters %q, %d entries, %v", c, c.Entries(), err)
	}
	for path, mp := range map[string]string{"": "", "/README": "", "/sw": "", "/sw/1.0": "/sw/1.0", "/sw/1.0/data/a.dat": "/sw/1.0", "/sw/2.0/plug": "/sw/2.0/plug"} {
		i, err := tree.Info(t.Context(), path)
		if err != nil || i.Mountpoint != mp {
			t.Errorf("%q: catalog at %q, %v, want %q", path, i.Mountpoint, err, mp)
		}
	}
	i, err := tree.Info(t.Context(), "")
	if err != nil || i.Hash != root || i.Properties.Revision != 5 || i.Properties.TTL.Seconds() != 60 || i.Properties.Schema != 2.5 ||
		i.Properties.SchemaRevision != 7 || i.Properties.LastModified.Unix() != 1795336373 || i.Properties.PreviousRevision.String() != "ee6ac154256596c13a6ce5046cda46e61cfdff12" {
		t.Errorf("root catalog: %+v, %v", i, err)
	}
	for path, want := range map[string]error{"/nothing": ErrNotFound, "/README/x": ErrNotFound, "/sw/1.0/nothing": ErrNotFound,
		"x": ErrNotFound, "/": ErrNotFound, "/sw/": ErrNotFound, "//": ErrNotFound, "/sw//1.0": ErrNotFound} {
		if _, err := tree.Lookup(t.Context(), path); err != want {
			t.Errorf("look up %q: %v, want %v", path, err, want)
		}
		if err := tree.List(t.Context(), path, nil); err != want {
			t.Errorf("list %q: %v, want %v", path, err, want)
		}
	}
	if err := tree.List(t.Context(), "/README", nil); err != ErrNotDir {
		t.Errorf("list /README: %v", err)
	}
}
