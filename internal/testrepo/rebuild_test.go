package testrepo

import (
	"bytes"
	"compress/zlib"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rebuilder makes a Repo out of a fixture, by means of the SQLite library.
type rebuilder struct {
	t    *testing.T
	dir  string
	repo *Repo
}

type fixtureRow struct {
	k1, k2, links, size, mtime, nsec, flags int64
	mode, uid, gid                          uint32
	hash, xattr                             []byte
	name, target                            string
}

func (b *rebuilder) catalog(mount, hash string) {
	db, _ := openCatalog(b.t, b.dir, Object{Hash: hash, Kind: 'C'}.Path())
	groups := map[int64]string{}
	if mount == "" {
		b.options("", b.rows(db, "name = ''")[0])
	}
	b.children(db, mount, groups)
}

func (b *rebuilder) children(db *sql.DB, dir string, groups map[int64]string) {
	k1, k2 := pathKey(dir)
	for _, r := range b.rows(db, fmt.Sprintf("parent_1 = %d AND parent_2 = %d AND flags & 32 = 0", k1, k2)) {
		path := dir + "/" + r.name
		switch {
		case r.flags&flagHidden != 0:
		case r.flags&flagNestedMount != 0:
			b.repo.Dir(path)
			b.options(path, r)
			b.repo.Nested(path)
			var hash string
			if err := db.QueryRow("SELECT sha1 FROM nested_catalogs WHERE path = ?", path).Scan(&hash); err != nil {
				b.t.Fatal(err)
			}
			b.catalog(path, hash)
		case r.flags&flagDir != 0:
			b.repo.Dir(path)
			b.options(path, r)
			b.children(db, path, groups)
		case r.flags&flagLink != 0:
			b.repo.Symlink(path, r.target)
			b.options(path, r)
		case r.links>>32 != 0 && groups[r.links>>32] != "":
			b.repo.Hardlink(path, groups[r.links>>32])
		default:
			groups[r.links>>32] = path
			b.repo.File(path, b.content(db, r))
			b.options(path, r)
		}
	}
}

func (b *rebuilder) rows(db *sql.DB, where string) []fixtureRow {
	b.t.Helper()
	rows, err := db.Query(`SELECT md5path_1, md5path_2, hardlinks, size, mtime, ifnull(mtimens, 0), flags, mode, uid, gid, hash, xattr,
		cast(name AS BLOB), cast(symlink AS BLOB) FROM catalog WHERE ` + where)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	var out []fixtureRow
	for rows.Next() {
		var r fixtureRow
		var name, target []byte
		if err := rows.Scan(&r.k1, &r.k2, &r.links, &r.size, &r.mtime, &r.nsec, &r.flags, &r.mode, &r.uid, &r.gid,
			&r.hash, &r.xattr, &name, &target); err != nil {
			b.t.Fatal(err)
		}
		r.name, r.target = string(name), string(target)
		out = append(out, r)
	}
	if rows.Err() != nil {
		b.t.Fatal(rows.Err())
	}
	return out
}

func (b *rebuilder) options(path string, r fixtureRow) {
	n := b.repo.lookup(clean(path))
	Mode(r.mode)(n)
	Owner(r.uid, r.gid)(n)
	MTime(time.Unix(r.mtime, r.nsec))(n)
	if r.flags&flagChunked != 0 {
		Chunked(4194348)(n)
	}
	for x := r.xattr; len(r.xattr) > 0 && x[1] > 0; x[1]-- { // version 1
		k, v := x[2], x[3]
		XAttr(string(x[4:4+k]), string(x[4+k:int(4+k)+int(v)]))(n)
		copy(x[2:], x[4+int(k)+int(v):])
	}
}

func (b *rebuilder) content(db *sql.DB, r fixtureRow) string {
	algo, stored := Algorithm(r.flags>>shiftHash&7), r.flags>>shiftCompression&7 == 1
	if r.size == 0 {
		return ""
	}
	if r.flags&flagChunked == 0 {
		return b.object(Object{Hash: algo.text(r.hash)}, stored)
	}
	rows, err := db.Query("SELECT hash FROM chunks WHERE md5path_1 = ? AND md5path_2 = ? ORDER BY offset", r.k1, r.k2)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	var out strings.Builder
	for rows.Next() {
		var hash []byte
		if err := rows.Scan(&hash); err != nil {
			b.t.Fatal(err)
		}
		out.WriteString(b.object(Object{Hash: algo.text(hash), Kind: 'P'}, stored))
	}
	return out.String()
}

func (b *rebuilder) object(o Object, stored bool) string {
	data, err := os.ReadFile(filepath.Join(b.dir, o.Path()))
	if err != nil {
		b.t.Fatal(err)
	}
	if stored {
		return string(data)
	}
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = io.ReadAll(z)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// TestRebuildFixtures describes each fixture anew from its catalogs: Expected must
// say what the reference client showed, and the statistics must be the server
// tools'.
func TestRebuildFixtures(t *testing.T) {
	for _, name := range Fixtures() {
		t.Run(name, func(t *testing.T) {
			dir, key, tsv := Fixture(t, name)
			m, _ := checkTrust(t, dir, key)
			r := New(name)
			r.Hash = algorithmOf(value(m, "C"))
			r.Stored = name == "shake.example.org"
			(&rebuilder{t, dir, r}).catalog("", value(m, "C"))
			p := publish(t, r)
			want, err := os.ReadFile(tsv)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Expected(View{Env: map[string]string{"CVMFS_ARCH": "x86_64"}})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), got); d != "" {
				t.Errorf("listing (-reference client +expected):\n%s", d)
			}
			theirs, _ := openCatalog(t, dir, Object{Hash: value(m, "C"), Kind: 'C'}.Path())
			ours, _ := openCatalog(t, p.Dir, p.Root.Path())
			theirRows, ourRows := rowsOf(t, theirs), rowsOf(t, ours)
			if r.Stored { // its hidden directory is left out: it counts in the root's links
				delete(theirRows, ".cvmfs")
				theirRows[""] = strings.Replace(theirRows[""], "|5||", "|4||", 1)
			} else if d := cmp.Diff(statisticsOf(t, theirs), statisticsOf(t, ours)); d != "" {
				t.Errorf("statistics (-fixture +ours):\n%s", d)
			}
			if name == "small.example.org" { // the same name occurs in several directories
				return
			}
			if d := cmp.Diff(blank(theirRows, r.Stored), blank(ourRows, r.Stored)); d != "" {
				t.Errorf("rows (-fixture +ours):\n%s", d)
			}
		})
	}
}

// blank takes the hashes of compressed content out: they depend on the compressor.
func blank(rows map[string]string, stored bool) map[string]string {
	if !stored {
		for k, v := range rows {
			rows[k] = regexp.MustCompile(`\|[0-9A-F]{40}\|`).ReplaceAllString(v, "|<hash>|")
		}
	}
	return rows
}

func statisticsOf(t *testing.T, db *sql.DB) map[string]int64 {
	t.Helper()
	rows, err := db.Query("SELECT counter, value FROM statistics")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var k string
		var v int64
		if err := rows.Scan(&k, &v); err != nil {
			t.Fatal(err)
		}
		out[k] = v
	}
	return out
}
