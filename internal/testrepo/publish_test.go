package testrepo

import (
	"bytes"
	"compress/zlib"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// everything describes a repository with one of each kind of entry.
func everything() *Repo {
	r := New("every.example.org")
	r.Dir("", Mode(0o755))
	r.File("plain", "content\n", Mode(0o640), Owner(10, 20), MTime(time.Unix(5, 7)))
	r.File("empty", "")
	r.File("exe", "#!\n", Mode(0o4755), XAttr("user.b", "\x00\xff"), XAttr("user.a", "x"), XAttr("security.x", "y"))
	r.File("wide", "w", XAttr("user.long", string(make([]byte, 300))))
	r.File("chunked", "", Content(Random(1, 10_000)), Chunked(4096))
	r.File("stored", "not compressed", Stored())
	r.File("odd \xe4%\t", "name")
	r.File("d/1", "linked", Mode(0o600))
	r.Hardlink("d/2", "d/1")
	r.Symlink("link", "d/1")
	r.Symlink("variant", "x/$(A:-1)/$(B)/$(unclosed")
	r.Fifo("fifo")
	r.Socket("socket")
	r.Device("null", false, 0x103)
	r.File("nested/deep/f", "nested content")
	r.File("nested/deep/inner/g", "inner content")
	r.Nested("nested")
	r.Nested("nested/deep/inner")
	r.File(".hidden/x", "y")
	r.Dir(".hidden", Hidden())
	return r
}

func publish(t testing.TB, r *Repo, broken ...Break) *Published {
	t.Helper()
	p, err := r.Publish(t.TempDir(), broken...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// openCatalog opens a catalog object of a tree by means of the SQLite library.
func openCatalog(t testing.TB, dir string, object string) (*sql.DB, []byte) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, object))
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
	file := filepath.Join(t.TempDir(), "catalog")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, data
}

func TestPublishIsReproducible(t *testing.T) {
	a, b := publish(t, everything()), publish(t, everything())
	for _, name := range []string{".cvmfspublished", ".cvmfswhitelist", a.Root.Path(), a.Certificate.Path()} {
		x, err := os.ReadFile(filepath.Join(a.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if y, err := os.ReadFile(filepath.Join(b.Dir, name)); err != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs between two publications (%v)", name, err)
		}
	}
}
