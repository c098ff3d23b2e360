package testrepo

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// scalar returns what a query of one value says.
func scalar(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	var v sql.NullString
	if err := db.QueryRow(query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v.String
}

func TestBrokenRows(t *testing.T) {
	const chunks = "SELECT group_concat(offset||'+'||size, ' ') FROM (SELECT * FROM chunks ORDER BY offset)"
	for name, tt := range map[string]struct {
		broken      Break
		query, want string
	}{
		"nothing":       {func(*publication) {}, chunks, "0+4096 4096+4096 8192+1808"},
		"hole":          {ChunkHole("chunked", 1), chunks, "0+4096 8192+1808"},
		"overlap":       {ChunkOverlap("chunked", 1), chunks, "0+4096 4095+4097 8192+1808"},
		"none":          {NoChunks("chunked"), chunks, ""},
		"size":          {WrongSize("/plain", 7), "SELECT size FROM catalog WHERE name = 'plain'", "7"},
		"sql":           {CatalogSQL("", "UPDATE properties SET value = '9.9' WHERE key = 'schema'"), "SELECT value FROM properties WHERE key = 'schema'", "9.9"},
		"other content": {OtherContent("plain", Zeros(1<<20)), "SELECT size FROM catalog WHERE name = 'plain'", "8"},
	} {
		t.Run(name, func(t *testing.T) {
			p := publish(t, everything(), tt.broken)
			db, _ := openCatalog(t, p.Dir, p.Root.Path())
			if got := scalar(t, db, tt.query); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if name == "other content" && p.Objects("plain")[0].Size != 1<<20 {
				t.Errorf("object is %+v", p.Objects("plain"))
			}
		})
	}
}

func TestBrokenCatalogs(t *testing.T) {
	good := publish(t, everything())
	_, goodData := openCatalog(t, good.Dir, good.Catalogs["/nested"].Path())

	t.Run("damaged", func(t *testing.T) {
		seen := false
		for seed := range uint64(5) {
			p := publish(t, everything(), DamagedCatalog("nested", seed))
			data := inflateObject(t, p.Dir, p.Catalogs["/nested"]) // whose hash is right
			seen = seen || !bytes.Equal(data, goodData)
			root, _ := openCatalog(t, p.Dir, p.Root.Path())
			if got := scalar(t, root, "SELECT sha1 FROM nested_catalogs"); got != p.Catalogs["/nested"].Hash {
				t.Errorf("the parent lists %s", got)
			}
		}
		if !seen {
			t.Error("five seeds changed nothing")
		}
	})
	t.Run("tail", func(t *testing.T) {
		p := publish(t, everything(), CatalogTail("nested", Zeros(1<<20)))
		_, data := openCatalog(t, p.Dir, p.Catalogs["/nested"].Path())
		if len(data) != len(goodData)+1<<20 || p.Catalogs["/nested"].Size != int64(len(data)) {
			t.Errorf("%d bytes, want 1 MB more than %d", len(data), len(goodData))
		}
	})
	t.Run("cyclic", func(t *testing.T) {
		p := publish(t, everything(), CyclicNested("nested", 3))
		next := p.Catalogs["/nested"].Hash
		for round := range 3 {
			db, _ := openCatalog(t, p.Dir, Object{Hash: next, Kind: 'C'}.Path())
			if next = scalar(t, db, "SELECT sha1 FROM nested_catalogs WHERE path = '/nested'"); next == "" {
				t.Fatalf("the chain ends in round %d", round)
			}
		}
		if next != good.Catalogs["/nested"].Hash {
			t.Errorf("the chain ends at %s", next)
		}
	})
}

func TestHarm(t *testing.T) {
	good := publish(t, everything())
	size := func(p *Published, o Object) int64 {
		info, err := os.Stat(filepath.Join(p.Dir, o.Path()))
		if err != nil {
			return -1
		}
		return info.Size()
	}
	last := good.Objects("chunked")[2]
	for name, tt := range map[string]struct {
		broken Break
		object Object
		want   int64
	}{
		"chunk cut":       {HarmObject("chunked", Truncate), last, last.Stored / 2},
		"object empty":    {HarmObject("plain", Empty), good.Objects("plain")[0], 0},
		"object missing":  {HarmObject("plain", Missing), good.Objects("plain")[0], -1},
		"catalog missing": {HarmCatalog("nested", Missing), good.Catalogs["/nested"], -1},
		"root flipped":    {HarmCatalog("", Flip), good.Root, good.Root.Stored},
	} {
		t.Run(name, func(t *testing.T) {
			p := publish(t, everything(), tt.broken)
			if got := size(p, tt.object); got != tt.want {
				t.Errorf("object has %d bytes, want %d", got, tt.want)
			}
		})
	}
	if _, err := everything().Publish(t.TempDir(), HarmObject("no such", Flip)); err == nil {
		t.Error("harm to a file that is not there went unnoticed")
	}
}

func TestRevisions(t *testing.T) {
	dir := t.TempDir()
	r := New("rev.example.org")
	r.File("f", "one")
	first, err := r.Publish(dir)
	if err != nil {
		t.Fatal(err)
	}
	r.Remove("f")
	r.File("f", "two")
	r.Dir(".cvmfs", Hidden(), Mode(0o555))
	r.Nested(".cvmfs")
	r.Bind(".cvmfs/snapshots/first", first)
	r.Bind("then", first)
	r.Revision, r.Previous, r.Time = 2, first, first.Time.AddDate(0, 0, 1)
	r.Tags = []Tag{{Name: "first", Of: first}, {Name: "trunk"}}
	r.AltPath = true
	second, err := r.Publish(dir)
	if err != nil {
		t.Fatal(err)
	}
	checkTrust(t, dir, second.PublicKeyPEM)
	inflateObject(t, dir, first.Root)
	db, _ := openCatalog(t, dir, second.Root.Path())
	for query, want := range map[string]string{
		"SELECT value FROM properties WHERE key = 'previous_revision'":                  first.Root.Hash,
		"SELECT value FROM properties WHERE key = 'revision'":                           "2",
		"SELECT path||sha1||size FROM bind_mountpoints":                                 fmt.Sprint("/then", first.Root.Hash, first.Root.Size),
		"SELECT flags FROM catalog WHERE name = 'then'":                                 fmt.Sprint(flagDir | flagBindMount),
		"SELECT flags FROM catalog WHERE name = '.cvmfs'":                               fmt.Sprint(0x8003),
		"SELECT value FROM statistics WHERE counter = 'subtree_dir'":                    "3",
		"SELECT count(*) FROM catalog WHERE parent_1 = 338333539836370388 AND name!=''": "3",
	} {
		if got := scalar(t, db, query); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	for _, o := range []Object{second.Root, second.Certificate} {
		if _, err := os.Stat(filepath.Join(dir, ".cvmfsalt-"+o.Hash+string(o.Kind))); err != nil {
			t.Error(err)
		}
	}
	for p, want := range map[*Published]int{first: 2, second: 4} { // "/", "/f" and again below "/then"
		if l, err := p.Expected(View{}); err != nil || len(l) != want {
			t.Errorf("revision %d: %d lines, want %d: %v", p.Revision, len(l), want, err)
		}
	}
}

func TestExternal(t *testing.T) {
	r := New("ext.example.org")
	r.ExternalDir = t.TempDir()
	r.File("a/whole", "external content", External())
	r.File("a/empty", "", External())
	r.File("a/cut", "", Content(Random(1, 1000)), Chunked(400), External())
	p := publish(t, r)
	got, err := os.ReadFile(filepath.Join(r.ExternalDir, "a/whole"))
	if err != nil || string(got) != "external content" {
		t.Errorf("got %q, %v", got, err)
	}
	if len(p.Objects("a/cut")) != 3 || len(p.Objects("a/empty")) != 1 {
		t.Errorf("%d and %d objects, want 3 and 1", len(p.Objects("a/cut")), len(p.Objects("a/empty")))
	}
	for _, name := range []string{"a/whole", "a/cut"} {
		if _, err := os.Stat(filepath.Join(p.Dir, p.Objects(name)[0].Path())); err == nil {
			t.Errorf("%s is in the repository", name)
		}
	}
	db, _ := openCatalog(t, p.Dir, p.Root.Path())
	if got := scalar(t, db, "SELECT group_concat(flags, ' ') FROM (SELECT flags FROM catalog WHERE flags & 128 ORDER BY name)"); got != "2244 2180 2180" {
		t.Errorf("flags %s", got)
	}
}

func TestHardLinksAcrossCatalogsAreRefused(t *testing.T) {
	r := New("x.example.org")
	r.File("a", "")
	r.Hardlink("n/b", "a")
	r.Nested("n")
	if _, err := r.Publish(t.TempDir()); err == nil {
		t.Error("published")
	}
}

func TestGenerate(t *testing.T) {
	o := GenerateOptions{Nested: 2, Dirs: 3, FilesPerDir: 20, Variety: true}
	r := Generate("gen.example.org", 7, o)
	p := publish(t, r)
	again := publish(t, Generate("gen.example.org", 7, o))
	other := publish(t, Generate("gen.example.org", 8, o))
	if p.Root.Hash != again.Root.Hash || p.Root.Hash == other.Root.Hash {
		t.Error("the tree depends on something else than the seed, or not on it")
	}
	lines, err := p.Expected(View{})
	if err != nil || len(lines) != r.Count() || len(p.Catalogs) != 3 {
		t.Errorf("%d lines of %d paths, %d catalogs: %v", len(lines), r.Count(), len(p.Catalogs), err)
	}
	db, _ := openCatalog(t, p.Dir, p.Root.Path())
	all := "SELECT sum(value) FROM statistics WHERE counter GLOB '*_regular' OR counter GLOB '*_dir' OR counter GLOB '*_symlink' OR counter GLOB '*_special'"
	if got := scalar(t, db, all); got != fmt.Sprint(r.Count()+2) { // the tops of nested catalogs count twice
		t.Errorf("statistics count %s entries, the tree has %d", got, r.Count())
	}
}

func BenchmarkPublish(b *testing.B) {
	r := Generate("bench.example.org", 1, GenerateOptions{Nested: 4, Dirs: 25, FilesPerDir: 100})
	for b.Loop() {
		if _, err := r.Publish(b.TempDir()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(r.Count()*b.N)/b.Elapsed().Seconds(), "paths/s")
}
