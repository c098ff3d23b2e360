package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// single makes a tree of one catalog.
func single(t testing.TB, b *builder) *Tree {
	t.Helper()
	m := newMemory()
	return newTree(t, m, m.put(b.bytes()))
}

func TestEntries(t *testing.T) {
	digest := []byte("01234567890123456789")
	long := strings.Repeat("long/", 800)
	tests := []struct {
		name string
		set  string // assignments to a regular file's row
		args []any
		want func(e *Entry)
	}{
		{"file", "size = 7", nil, func(e *Entry) {}},
		{"other algorithm", "flags = 4 | (2 << 8) | (1 << 11), hash = ?", []any{digest}, func(e *Entry) {
			e.Flags, e.Compression = 4|2<<8|1<<11, object.Stored
			e.Hash, _ = object.FromDigest(object.SHAKE128, digest)
		}},
		{"flags", "flags = ?", []any{int64(FlagRegular | FlagChunked | FlagExternal | FlagDirectIO | FlagHidden | 1<<20)}, func(e *Entry) {
			e.Flags = FlagRegular | FlagChunked | FlagExternal | FlagDirectIO | FlagHidden | 1<<20
		}},
		{"no hash", "hash = NULL", nil, func(e *Entry) { e.Hash = object.Hash{} }},
		{"no nanoseconds", "mtimens = NULL", nil, func(e *Entry) { e.MtimeNsec = 0 }},
		{"odd nanoseconds", "mtimens = -1", nil, func(e *Entry) { e.MtimeNsec = 0 }},
		{"before 1970", "mtime = -5", nil, func(e *Entry) { e.Mtime = -5 }},
		{"huge", "size = 1 << 40", nil, func(e *Entry) { e.Size = 1 << 40 }},
		{"hard link", "hardlinks = (5 << 32) | 3", nil, func(e *Entry) { e.Nlink, e.LinkGroup = 3, 5 }},
		{"large group", "hardlinks = (0xffffffff << 32) | 2", nil, func(e *Entry) { e.Nlink, e.LinkGroup = 2, 0xffffffff }},
		{"large owner", "uid = 4294967295, gid = 2000000", nil, func(e *Entry) { e.UID, e.GID = 4294967295, 2000000 }},
		{"link", "mode = ?, flags = 12, symlink = ?, hash = NULL", []any{0o120777, long}, func(e *Entry) {
			e.Mode, e.Flags, e.Symlink, e.Size, e.Hash = 0o120777, 12, long, int64(len(long)), object.Hash{}
		}},
		{"link with NUL", "mode = ?, flags = 12, symlink = ?, hash = NULL", []any{0o120777, "a\x00b"}, func(e *Entry) {
			e.Mode, e.Flags, e.Symlink, e.Size, e.Hash = 0o120777, 12, "a", 1, object.Hash{}
		}},
		{"device", "mode = ?, flags = 20, size = 0x103, hash = NULL", []any{0o020666}, func(e *Entry) {
			e.Mode, e.Flags, e.Size, e.Rdev, e.Hash = 0o020666, 20, 0, 0x103, object.Hash{}
		}},
		{"fifo", "mode = ?, flags = 20, hash = NULL, size = 0", []any{0o010644}, func(e *Entry) { e.Mode, e.Flags, e.Size, e.Hash = 0o010644, 20, 0, object.Hash{} }},
		{"attributes", "xattr = ?", []any{[]byte{1, 0}}, func(e *Entry) { e.HasXattrs = true }},
		{"negative size", "size = -1", nil, nil},
		{"no kind", "mode = 420", nil, nil},
		{"short hash", "hash = ?", []any{digest[:19]}, nil},
		{"unknown algorithm", "flags = 4 | (7 << 8)", nil, nil},
		{"text for a number", "mode = 'abc'", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBuilder(t, 512, "")
			b.file("/file.x")
			b.set("/file.x", tt.set, tt.args...)
			tree := single(t, b)
			got, err := tree.Lookup(t.Context(), "/file.x")
			listErr := tree.List(t.Context(), "", func(e Entry) error {
				if d := cmp.Diff(got, e, cmp.AllowUnexported(Entry{}, object.Hash{})); d != "" {
					t.Errorf("listing differs: %s", d)
				}
				return nil
			})
			if tt.want == nil {
				if !errors.Is(err, ErrDamaged) || !errors.Is(listErr, ErrDamaged) {
					t.Errorf("no damage: %+v, %v, %v", got, err, listErr)
				}
				return
			}
			want := Entry{Name: "file.x", Inode: 257, Flags: FlagRegular, Mode: 0o100644, Nlink: 1, UID: 1000, GID: 1001, Mtime: 1700000000,
				MtimeNsec: 123456789, Size: 7, Hash: object.SHA1.Sum([]byte("/file.x")), rowid: 2}
			tt.want(&want)
			if d := cmp.Diff(want, got, cmp.AllowUnexported(Entry{}, object.Hash{})); d != "" || err != nil || listErr != nil {
				t.Errorf("%v, %v: %s", err, listErr, d)
			}
		})
	}
}

// TestOlderSchemas removes what earlier revisions do not have.
func TestOlderSchemas(t *testing.T) {
	drop := func(columns ...string) func(b *builder) {
		return func(b *builder) {
			for _, c := range columns {
				b.exec("ALTER TABLE catalog DROP COLUMN " + c)
			}
		}
	}
	tests := []struct {
		name, schema string
		change       func(b *builder)
		want         func(e *Entry) bool // nil: not readable
	}{
		{"revision 6", "2.5", drop("mtimens"), func(e *Entry) bool { return e.MtimeNsec == 0 && e.Mtime == 1700000000 }},
		{"revision 1", "2.4", drop("mtimens", "xattr"), func(e *Entry) bool { return !e.HasXattrs && e.UID == 1000 }},
		{"revision 0", "2.4", func(b *builder) {
			drop("mtimens", "xattr")(b)
			b.exec("DROP TABLE bind_mountpoints")
			b.exec("ALTER TABLE nested_catalogs DROP COLUMN size")
		}, func(e *Entry) bool { return e.Nlink == 1 }},
		{"legacy", "1.0", func(b *builder) {
			drop("mtimens", "xattr", "hardlinks", "uid", "gid")(b)
			b.exec("DROP TABLE bind_mountpoints")
			b.exec("DROP TABLE statistics")
			b.exec("DROP TABLE chunks")
		}, func(e *Entry) bool { return e.NoOwner && e.Nlink == 1 && e.LinkGroup == 0 }},
		{"no schema", "", func(*builder) {}, func(e *Entry) bool { return true }},
		{"column added later", "2.5", func(b *builder) { drop("mtimens")(b); b.exec("ALTER TABLE catalog ADD mtimens INTEGER") },
			func(e *Entry) bool { return e.MtimeNsec == 0 }},
		{"later revision", "2.5", func(b *builder) { b.exec("UPDATE properties SET value = '99' WHERE key = 'schema_revision'") },
			func(e *Entry) bool { return true }},
		{"2.3", "2.3", func(*builder) {}, nil},
		{"2.6", "2.6", func(*builder) {}, nil},
		{"3.0", "3.0", func(*builder) {}, nil},
		{"words", "new", func(*builder) {}, nil},
		{"no mode", "2.5", drop("mode"), nil},
		{"no index", "2.5", func(b *builder) { b.exec("DROP INDEX idx_catalog_parent") }, nil},
		{"no table", "2.5", func(b *builder) { b.exec("DROP TABLE catalog") }, nil},
		{"no path index", "2.5", func(b *builder) {
			b.exec("DROP TABLE nested_catalogs")
			b.exec("CREATE TABLE nested_catalogs (path TEXT, sha1 TEXT)")
		}, nil},
		{"odd root prefix", "2.5", func(b *builder) { b.exec("INSERT INTO properties VALUES ('root_prefix', 'x/')") }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBuilder(t, 1024, "")
			b.file("/f")
			b.exec("DELETE FROM properties WHERE key = 'schema'")
			if tt.schema != "" {
				b.exec("INSERT INTO properties VALUES ('schema', ?)", tt.schema)
			}
			tt.change(b)
			m := newMemory()
			root := m.put(b.bytes())
			tree, err := NewTree(t.Context(), m, root)
			if tt.want == nil {
				if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnsupported) {
					t.Errorf("error %v", err)
				}
				if n := m.open.Load(); n != 0 {
					t.Errorf("%d files left open", n)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			e, err := tree.Lookup(t.Context(), "/f")
			if err != nil || !tt.want(&e) {
				t.Errorf("%+v, %v", e, err)
			}
			if _, err := tree.Counters(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := tree.Lookup(t.Context(), "/x/y"); err != ErrNotFound {
				t.Error(err)
			}
		})
	}
}

func TestChunks(t *testing.T) {
	digest := object.SHA1.Sum([]byte("chunk")).Digest()
	type chunk struct{ offset, size int64 }
	tests := []struct {
		name   string
		size   int64
		chunks []chunk
		ok     bool
	}{
		{"one", 10, []chunk{{0, 10}}, true},
		{"written in disorder", 30, []chunk{{20, 10}, {0, 5}, {5, 15}}, true},
		{"none", 10, nil, false},
		{"gap", 30, []chunk{{0, 10}, {20, 10}}, false},
		{"overlap", 30, []chunk{{0, 10}, {5, 25}}, false},
		{"late start", 30, []chunk{{1, 29}}, false},
		{"too short", 30, []chunk{{0, 10}}, false},
		{"too long", 30, []chunk{{0, 31}}, false},
		{"empty chunk", 30, []chunk{{0, 0}, {0, 30}}, false},
		{"overflowing", 30, []chunk{{0, 10}, {10, 1<<63 - 1}}, false},
		{"negative", 30, []chunk{{0, 40}, {40, -10}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBuilder(t, 1024, "")
			b.file("/f")
			b.file("/plain")
			b.set("/f", "size = ?, flags = ?, hash = NULL", tt.size, int64(FlagRegular|FlagChunked))
			p1, p2 := key("/f")
			for _, c := range tt.chunks {
				b.exec("INSERT INTO chunks VALUES (?,?,?,?,?)", p1, p2, c.offset, c.size, digest)
			}
			b.exec("INSERT INTO chunks VALUES (?,?,0,1,?)", p1, p2+1, digest)
			tree := single(t, b)
			got, err := tree.Chunks(t.Context(), "/f")
			if tt.ok != (err == nil) || !tt.ok && !errors.Is(err, ErrDamaged) || len(got) != len(tt.chunks) && tt.ok {
				t.Errorf("%v, %v", got, err)
			}
			if got, err := tree.Chunks(t.Context(), "/plain"); got != nil || err != nil {
				t.Errorf("plain file: %v, %v", got, err)
			}
		})
	}
}

func TestHardLinks(t *testing.T) {
	b := newBuilder(t, 1024, "")
	for i, group := range []int{1, 2, 1, 2, 0, 0} {
		path := fmt.Sprintf("/f%d", i)
		b.file(path)
		b.set(path, "hardlinks = (? << 32) | 2", group)
	}
	tree := single(t, b)
	var inodes []uint64
	for _, i := range []int{2, 0, 1, 3, 4, 5} {
		e, err := tree.Lookup(t.Context(), fmt.Sprintf("/f%d", i))
		if err != nil {
			t.Fatal(err)
		}
		inodes = append(inodes, e.Inode)
	}
	if d := cmp.Diff([]uint64{259, 259, 258, 258, 261, 262}, inodes); d != "" {
		t.Error(d)
	}
}

// TestNames: what nobody could look up, and what is hidden, is not listed.
func TestNames(t *testing.T) {
	b := newBuilder(t, 1024, "")
	for i, name := range []string{"", ".", "..", "a/b", "/", "\x00x", "good", "\xff\xfe", "..."} {
		path := fmt.Sprintf("/%d", i)
		b.file(path)
		b.set(path, "name = ?", name)
	}
	b.file("/hidden")
	b.set("/hidden", "flags = ?", int64(FlagRegular|FlagHidden))
	tree := single(t, b)
	got := map[string]bool{}
	if err := tree.List(t.Context(), "", func(e Entry) error { got[e.Name] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]bool{"good": true, "\xff\xfe": true, "...": true}, got); d != "" {
		t.Error(d)
	}
	if e, err := tree.Lookup(t.Context(), "/hidden"); err != nil || !e.IsHidden() {
		t.Errorf("hidden: %+v, %v", e, err)
	}
}
