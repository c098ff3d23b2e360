package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// disk keeps the catalogs of a memory loader in files, as a client's cache does.
type disk struct {
	dir string
}

type diskFile struct{ *os.File }

func (f diskFile) Size() int64 {
	st, err := f.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}

func (d disk) LoadCatalog(_ context.Context, h object.Hash, _ string) (File, error) {
	f, err := os.Open(filepath.Join(d.dir, h.String()))
	return diskFile{f}, err
}

func (m *memory) toDisk(t testing.TB) disk {
	t.Helper()
	d := disk{t.TempDir()}
	for h, data := range m.files {
		if err := os.WriteFile(filepath.Join(d.dir, h.String()), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// benchTree is the tree of the benchmarks: 20 catalogs of 50 directories of 100 files.
func benchTree(b *testing.B) (*Tree, disk, object.Hash) {
	m, root := many(b, 20, 50, 100)
	d := m.toDisk(b)
	tree, err := NewTree(b.Context(), d, root)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { tree.Close() })
	return tree, d, root
}

func benchPaths() []string {
	var out []string
	for i := range 20 * 50 * 100 {
		i = i * 7919 % 100_000
		out = append(out, fmt.Sprintf("/c%02d/d%02d/file%03d.txt", i/5000, i/100%50, i%100))
	}
	return out
}

func BenchmarkLookup(b *testing.B) {
	tree, d, _ := benchTree(b)
	paths := benchPaths()
	bench := func(b *testing.B, paths []string) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := tree.Lookup(b.Context(), paths[i%len(paths)]); err != nil {
				b.Fatal(err)
			}
		}
	}
	local := paths[:0:0]
	for i := range 5000 {
		local = append(local, fmt.Sprintf("/c07/d%02d/file%03d.txt", i/100, i%100))
	}
	b.Run("one catalog", func(b *testing.B) { bench(b, local) })
	b.Run("all catalogs", func(b *testing.B) { bench(b, paths) })
	b.Run("absent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tree.Lookup(b.Context(), "/c07/d11/nothing"); err != ErrNotFound {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, err := tree.Lookup(b.Context(), local[i%len(local)]); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("modernc", func(b *testing.B) {
		st := prepare(b, d, tree, "SELECT hardlinks, hash, size, mode, mtime, mtimens, flags, name, symlink, uid, gid, xattr FROM catalog WHERE md5path_1 = ? AND md5path_2 = ?")
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			k1, k2 := key(local[i%len(local)])
			if n := scanAll(b, st, k1, k2); n != 1 {
				b.Fatal(n)
			}
		}
	})
}

func BenchmarkList(b *testing.B) {
	tree, d, _ := benchTree(b)
	b.Run("100 entries", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			n := 0
			err := tree.List(b.Context(), fmt.Sprintf("/c07/d%02d", i%50), func(Entry) error { n++; return nil })
			if err != nil || n != 100 {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("modernc", func(b *testing.B) {
		st := prepare(b, d, tree, "SELECT hardlinks, hash, size, mode, mtime, mtimens, flags, name, symlink, uid, gid, xattr FROM catalog WHERE parent_1 = ? AND parent_2 = ?")
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			k1, k2 := key(fmt.Sprintf("/c07/d%02d", i%50))
			if n := scanAll(b, st, k1, k2); n != 100 {
				b.Fatal(n)
			}
		}
	})
}

// prepare prepares a query in the catalog at /c07.
func prepare(b *testing.B, d disk, tree *Tree, query string) *sql.Stmt {
	b.Helper()
	i, err := tree.Info(b.Context(), "/c07")
	if err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.dir, i.Hash.String())+"?mode=ro&immutable=1")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	st, err := db.Prepare(query)
	if err != nil {
		b.Fatal(err)
	}
	return st
}

func scanAll(b *testing.B, st *sql.Stmt, args ...any) int {
	b.Helper()
	rows, err := st.Query(args...)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var links, size, mode, mtime, flags, uid, gid int64
		var ns sql.NullInt64
		var hash, xattr []byte
		var name, link string
		if err := rows.Scan(&links, &hash, &size, &mode, &mtime, &ns, &flags, &name, &link, &uid, &gid, &xattr); err != nil {
			b.Fatal(err)
		}
		n++
	}
	return n
}

// BenchmarkOpen is the cost of a tree's first lookup in a nested catalog.
func BenchmarkOpen(b *testing.B) {
	_, d, root := benchTree(b)
	b.ReportAllocs()
	for b.Loop() {
		tree, err := NewTree(b.Context(), d, root)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tree.Lookup(b.Context(), "/c07/d11/file099.txt"); err != nil {
			b.Fatal(err)
		}
		tree.Close()
	}
}

// BenchmarkWalk lists and looks up all 101,000 entries; it reports the heap after it.
func BenchmarkWalk(b *testing.B) {
	_, d, root := benchTree(b)
	for b.Loop() {
		tree, err := NewTree(b.Context(), d, root)
		if err != nil {
			b.Fatal(err)
		}
		entries := 0
		var walk func(dir string)
		walk = func(dir string) {
			err := tree.List(b.Context(), dir, func(e Entry) error {
				entries++
				path := dir + "/" + e.Name
				if _, err := tree.Lookup(b.Context(), path); err != nil {
					return err
				}
				if e.IsDir() {
					walk(path)
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		walk("")
		if entries != 101_020 {
			b.Fatal(entries)
		}
		b.StopTimer()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-heap")
		tree.Close()
		b.StartTimer()
	}
}
