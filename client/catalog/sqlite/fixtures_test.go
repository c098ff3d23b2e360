package sqlite

import (
	"compress/zlib"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// TestFixtureCatalogs compares catalogs that the CVMFS server tools wrote.
func TestFixtureCatalogs(t *testing.T) {
	tables := map[string][]string{
		"catalog": {"md5path_1", "md5path_2", "parent_1", "parent_2", "hardlinks", "hash", "size", "mode", "mtime", "mtimens", "flags", "name",
			"symlink", "uid", "gid", "xattr"},
		"chunks":           {"md5path_1", "md5path_2", "offset", "size", "hash"},
		"nested_catalogs":  {"path", "sha1", "size"},
		"bind_mountpoints": {"path", "sha1", "size"},
		"statistics":       {"counter", "value"},
		"properties":       {"key", "value"},
	}
	for _, repo := range []string{"small.example.org", "shake.example.org", "cfg.example.org"} {
		archive := filepath.Join(testenv.Root(), "testdata/repos", repo+".tar.zst")
		dir := t.TempDir()
		testenv.Untar(t, archive, dir)
		catalogs, err := filepath.Glob(filepath.Join(dir, repo, "data", "*", "*C"))
		if err != nil || len(catalogs) < 2 {
			t.Fatalf("%s: catalogs %q, %v", repo, catalogs, err)
		}
		for _, path := range catalogs {
			t.Run(repo+"/"+filepath.Base(path), func(t *testing.T) {
				db, oracle := open(t, inflate(t, path), NewCache(1<<20))
				for name, columns := range tables {
					compareAll(t, db, oracle, name, columns)
				}
				if db.Table("catalog").Index("md5path_1", "md5path_2") == nil || db.Table("catalog").Index("parent_1", "parent_2") == nil ||
					db.Table("chunks").Index("md5path_1", "md5path_2", "offset", "size") == nil || db.Table("nested_catalogs").Index("path") == nil {
					t.Error("an index is missing")
				}
			})
		}
	}
}

func inflate(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zlib.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "catalog")
	if err := os.WriteFile(out, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}
