package catalog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// fake gives catalogs by name, whatever their hash: what no real loader does, so that
// catalogs can lie below themselves.
func (m *memory) fake(name string, data []byte) object.Hash {
	h := object.SHA1.Sum([]byte(name))
	m.files[h] = data
	return h
}

// climb looks up and lists deeper and deeper until something stops it.
func climb(t *testing.T, tree *Tree, top, step string) error {
	t.Helper()
	for path := top; len(path) < 4096; path += step {
		if _, err := tree.Lookup(t.Context(), path+"/none"); err != nil && err != ErrNotFound {
			return err
		}
		err := tree.List(t.Context(), path, func(Entry) error { return nil })
		if err != nil {
			return err
		}
	}
	return nil
}

func TestCycles(t *testing.T) {
	tests := []struct {
		name  string
		build func(m *memory)
		step  string
	}{
		{"below itself", func(m *memory) {
			root := newBuilder(t, 1024, "")
			root.nest("/a", object.SHA1.Sum([]byte("root")).String())
			m.fake("root", root.bytes())
		}, "/a"},
		{"bound below itself", func(m *memory) {
			root := newBuilder(t, 1024, "")
			root.bind("/a", object.SHA1.Sum([]byte("root")).String())
			m.fake("root", root.bytes())
		}, "/a"},
		{"below its child", func(m *memory) {
			root, child := newBuilder(t, 1024, ""), newBuilder(t, 1024, "/a")
			root.nest("/a", object.SHA1.Sum([]byte("child")).String())
			child.bind("/a/a", object.SHA1.Sum([]byte("root")).String())
			m.fake("root", root.bytes())
			m.fake("child", child.bytes())
		}, "/a"},
		{"its own mountpoint", func(m *memory) {
			root, child := newBuilder(t, 1024, ""), newBuilder(t, 1024, "/a")
			root.nest("/a", object.SHA1.Sum([]byte("child")).String())
			child.exec("INSERT INTO nested_catalogs VALUES ('/a', ?, 0)", object.SHA1.Sum([]byte("child")).String())
			child.set("/a", "flags = ?", int64(FlagDir|FlagNestedMountpoint|FlagNestedRoot))
			m.fake("root", root.bytes())
			m.fake("child", child.bytes())
		}, "/a"},
		{"root at the root", func(m *memory) {
			root := newBuilder(t, 1024, "")
			root.exec("INSERT INTO nested_catalogs VALUES ('', ?, 0), ('/', ?, 0)", object.SHA1.Sum([]byte("root")).String(), object.SHA1.Sum([]byte("root")).String())
			root.set("", "flags = ?", int64(FlagDir|FlagNestedMountpoint))
			m.fake("root", root.bytes())
		}, "/a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemory()
			tt.build(m)
			tree := newTree(t, m, object.SHA1.Sum([]byte("root")))
			err := climb(t, tree, "", tt.step)
			if err == nil {
				t.Error("there is no end")
			}
			if n := tree.Attached(); n > 3 {
				t.Errorf("%d catalogs attached", n)
			}
			t.Log(err)
		})
	}
}

// TestBrokenLinks: mountpoints that lead nowhere are trouble, not absence.
func TestBrokenLinks(t *testing.T) {
	m := newMemory()
	other := newBuilder(t, 1024, "/other")
	file := newBuilder(t, 1024, "/file")
	file.set("/file", "mode = ?", 0o100644)
	otherHash, fileHash := m.put(other.bytes()), m.put(file.bytes())
	root := newBuilder(t, 1024, "")
	root.nest("/null", strings.Repeat("0", 40))
	root.nest("/empty", "")
	root.nest("/words", "words")
	root.nest("/missing", object.SHA1.Sum([]byte("missing")).String())
	root.nest("/garbage", m.put([]byte("SQLite format 3\x00 or not")).String())
	root.nest("/elsewhere", otherHash.String()) // is bound there: nothing wrong with that
	root.nest("/file", fileHash.String())
	root.add("/unnamed", uint32(Directory)|0o755, FlagDir|FlagNestedMountpoint)
	tree := newTree(t, m, m.put(root.bytes()))
	for _, path := range []string{"/null", "/empty", "/words", "/missing", "/garbage", "/file", "/unnamed"} {
		if _, err := tree.Lookup(t.Context(), path); err != nil {
			t.Errorf("look up %q: %v", path, err)
		}
		err := tree.List(t.Context(), path, func(Entry) error { return nil })
		if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrNotDir) {
			t.Errorf("list %q: %v", path, err)
		}
		if path == "/unnamed" {
			continue // below it is nothing that any catalog knows
		}
		if _, err := tree.Lookup(t.Context(), path+"/x"); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("look up below %q: %v", path, err)
		}
	}
	if err := tree.List(t.Context(), "/elsewhere", nil); err != nil {
		t.Error(err)
	}
}

// exercise asks a tree of one damaged catalog for everything; it must answer with an
// error of ours or with something that holds together.
func exercise(t *testing.T, data []byte) {
	m := newMemory()
	root := m.put(data)
	tree, err := NewTree(t.Context(), m, root, WithCache(0))
	if err != nil {
		checkError(t, err)
		return
	}
	defer tree.Close()
	const limit = 2000
	entries := 0
	enough := errors.New("enough")
	for _, dir := range []string{"", "/d", "/nested", "/d/none"} {
		err := tree.List(t.Context(), dir, func(e Entry) error {
			if e.Name == "" || strings.Contains(e.Name, "/") || e.Inode <= firstOffset || e.Inode > tree.Inodes().Max() || e.Size < 0 {
				t.Errorf("entry %+v", e)
			}
			if entries++; entries > limit {
				return enough
			}
			return nil
		})
		if err != enough {
			checkError(t, err)
		}
	}
	for _, path := range []string{"/d/file7", "/chunked", "/xattr", "/link", "/none", "/nested/x"} {
		_, err := tree.Lookup(t.Context(), path)
		checkError(t, err)
		chunks, err := tree.Chunks(t.Context(), path)
		checkError(t, err)
		var end int64
		for _, c := range chunks {
			if c.Offset != end || c.Size <= 0 {
				t.Errorf("chunks %+v", chunks)
			}
			end += c.Size
		}
		_, err = tree.Xattrs(t.Context(), path)
		checkError(t, err)
	}
	_, err = tree.Counters(t.Context())
	checkError(t, err)
}

func checkError(t *testing.T, err error) {
	t.Helper()
	var load *LoadError
	switch {
	case err == nil, errors.Is(err, ErrDamaged), errors.Is(err, ErrUnsupported), errors.Is(err, ErrNotFound), errors.Is(err, ErrNotDir):
	case errors.As(err, &load) && load.Mountpoint != "": // the nested catalog, which nobody has
	default:
		t.Errorf("error of no kind: %v", err)
	}
}

// rich makes a small catalog with everything in it.
func rich(t testing.TB, pageSize int) []byte {
	b := newBuilder(t, pageSize, "")
	b.dir("/d")
	for i := range 40 {
		b.file(fmt.Sprintf("/d/file%d%s", i, strings.Repeat("x", i*i%50*(i/10))))
	}
	b.file("/chunked")
	b.set("/chunked", "size = 30, flags = ?", int64(FlagRegular|FlagChunked))
	p1, p2 := key("/chunked")
	for i := range 3 {
		b.exec("INSERT INTO chunks VALUES (?,?,?,10,?)", p1, p2, 10*i, make([]byte, 20))
	}
	b.file("/xattr")
	b.set("/xattr", "xattr = ?", xattrBlob(2, []Xattr{{"user.a", make([]byte, 2000)}}))
	b.add("/link", 0o120777, FlagSymlink|FlagRegular)
	b.set("/link", "symlink = ?, hash = NULL", strings.Repeat("target/", 100))
	b.nest("/nested", object.SHA1.Sum([]byte("x")).String())
	b.exec("INSERT INTO statistics VALUES ('self_dir', 3), ('subtree_regular', 5)")
	return b.bytes()
}

// TestDamage flips bytes of a catalog, those that steer the reader above all.
func TestDamage(t *testing.T) {
	for _, size := range []int{512, 4096} {
		data := rich(t, size)
		exercise(t, data)
		rnd := rand.New(rand.NewPCG(1, uint64(size)))
		for range testenv.Count(2000, 50000) {
			bad := append([]byte(nil), data...)
			for range 1 + rnd.IntN(4) {
				at := rnd.IntN(len(bad))
				switch rnd.IntN(4) {
				case 0: // a page header or cell pointers
					at = rnd.IntN(len(bad)/size)*size + rnd.IntN(40)
				case 1: // a page number
					at = rnd.IntN(len(bad)-4) &^ 3
					binary.BigEndian.PutUint32(bad[at:], rnd.Uint32N(uint32(len(bad)/size)+2))
					continue
				}
				bad[at] = byte(rnd.Uint32())
			}
			exercise(t, bad)
		}
		for n := 0; n < len(data); n += 97 {
			exercise(t, data[:n])
		}
	}
}

func FuzzCatalog(f *testing.F) {
	f.Add(rich(f, 512))
	f.Add(rich(f, 1024))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<17 {
			return
		}
		exercise(t, data)
	})
}

// TestContext: a loader sees the caller's context.
func TestContext(t *testing.T) {
	m, root := many(t, 1, 1, 1)
	tree := newTree(t, m, root)
	m.before = func(ctx context.Context, _ string) error { return ctx.Err() }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tree.Lookup(ctx, "/c00/d00"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
