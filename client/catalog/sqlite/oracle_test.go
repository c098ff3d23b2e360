package sqlite

import (
	"bytes"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// build makes a database file by running statements in SQLite itself.
func build(t testing.TB, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	exec(t, path, append([]string{"PRAGMA synchronous = OFF"}, statements...)...)
	return path
}

// exec runs statements in SQLite itself.
func exec(t testing.TB, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%.80s: %v", s, err)
		}
	}
}

// open opens a database file of a test with both readers.
func open(t testing.TB, path string, cache *Cache) (*DB, *sql.DB) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(f, st.Size(), cache)
	if err != nil {
		t.Fatal(err)
	}
	oracle, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { oracle.Close() })
	return got, oracle
}

// fill makes a table of n rows with values of all kinds and lengths.
func fill(t testing.TB, pageSize, n int, rnd *rand.Rand) string {
	t.Helper()
	path := build(t, fmt.Sprintf("PRAGMA page_size=%d", pageSize),
		"CREATE TABLE t (a INT, b INT, c TEXT, d BLOB, e, CONSTRAINT pk PRIMARY KEY (a, b))",
		"CREATE INDEX byc ON t (c)", "CREATE INDEX byb ON t(b, e)")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		var e any
		switch rnd.IntN(5) {
		case 0:
			e = rnd.Int64()
		case 1:
			e = rnd.Float64()
		case 2:
			e = i % 2
		case 3:
			e = fmt.Sprint(rnd.Int())
		}
		size := rnd.IntN(60)
		if rnd.IntN(20) == 0 {
			size = rnd.IntN(min(3*pageSize, maxKey-100))
		}
		d := make([]byte, rnd.IntN(40))
		if rnd.IntN(50) == 0 {
			d = make([]byte, rnd.IntN(200_000))
		}
		for i := range d {
			d[i] = byte(i)
		}
		a := rnd.Int64() - rnd.Int64()>>rnd.IntN(63)
		if _, err := tx.Exec("INSERT OR IGNORE INTO t VALUES (?, ?, ?, ?, ?)", a>>rnd.IntN(63), rnd.IntN(n/20+1),
			string(bytes.Repeat([]byte{'a' + byte(rnd.IntN(26))}, size)), d, e); err != nil {
			t.Fatal(err)
		}
	}
	for range n / 10 { // free pages and cells
		if _, err := tx.Exec("DELETE FROM t WHERE rowid = ?", rnd.IntN(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSameAnswersAsSQLite(t *testing.T) {
	for _, size := range []int{512, 1024, 4096, 16384, 65536} {
		for _, n := range []int{0, 1, 300, testenv.Count(5000, 60000)} {
			t.Run(fmt.Sprintf("page %d, %d rows", size, n), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(uint64(size), uint64(n)))
				db, oracle := open(t, fill(t, size, n, rnd), NewCache(1<<20))
				if db.pageSize != size {
					t.Fatalf("page size %d", db.pageSize)
				}
				compareAll(t, db, oracle, "t", []string{"a", "b", "c", "d", "e"})
				compareFinds(t, db, oracle, n, rnd)
			})
		}
	}
}

// compareAll compares all rows of a table, by scan and by rowid.
func compareAll(t *testing.T, db *DB, oracle *sql.DB, table string, columns []string) {
	t.Helper()
	tab := db.Table(table)
	if tab == nil {
		t.Fatalf("no table %q", table)
	}
	query := "SELECT rowid"
	for _, c := range columns {
		query += ", CAST(" + c + " AS BLOB), typeof(" + c + ")"
	}
	rows, err := oracle.Query(query + " FROM " + table + " ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var last int64
	count := 0
	for got, err := range tab.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		if !rows.Next() {
			t.Fatalf("row %d is one too many", got.Rowid)
		}
		var rowid int64
		blobs, types := make([][]byte, len(columns)), make([]string, len(columns))
		dest := []any{&rowid}
		for i := range columns {
			dest = append(dest, &blobs[i], &types[i])
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		var again Row
		if ok, err := tab.Get(rowid, &again); !ok || err != nil {
			t.Fatalf("Get(%d) = %v, %v", rowid, ok, err)
		}
		for _, r := range []*Row{got, &again} {
			if r.Rowid != rowid {
				t.Fatalf("rowid %d, want %d", r.Rowid, rowid)
			}
			for i, c := range columns {
				b, err := r.Bytes(tab.Column(c))
				if err != nil {
					t.Fatal(err)
				}
				if null := r.IsNull(tab.Column(c)); null != (types[i] == "null") {
					t.Fatalf("row %d: %s is NULL: %v, type %s", rowid, c, null, types[i])
				}
				if types[i] != "real" && !bytes.Equal(b, blobs[i]) {
					t.Fatalf("row %d: %s = %.40q, want %.40q", rowid, c, b, blobs[i])
				}
			}
		}
		if ok, err := tab.Get(rowid-1, &again); err != nil || ok != (count > 0 && last == rowid-1) {
			t.Fatalf("Get(%d) before %d = %v, %v", rowid-1, rowid, ok, err)
		}
		last = rowid
		count++
	}
	if rows.Next() {
		t.Fatalf("rows are missing after %d", last)
	}
	if m, err := tab.MaxRowid(); m != last || err != nil {
		t.Fatalf("MaxRowid() = %d, %v, want %d", m, err, last)
	}
}

// compareFinds compares index searches.
func compareFinds(t *testing.T, db *DB, oracle *sql.DB, n int, rnd *rand.Rand) {
	t.Helper()
	tab := db.Table("t")
	pk, byb, byc := tab.Index("a", "b"), tab.Index("b"), tab.Index("C")
	if pk == nil || byb == nil || byc == nil {
		t.Fatal("an index is missing")
	}
	var a, b int64
	var rowid int64
	rows, err := oracle.Query("SELECT rowid, a, b FROM t")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&rowid, &a, &b); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := pk.Find(Int(a), Int(b)); got != rowid || !ok || err != nil {
			t.Fatalf("Find(%d, %d) = %d, %v, %v, want %d", a, b, got, ok, err, rowid)
		}
		if _, ok, err := pk.Find(Int(a), Int(b+1000000)); ok || err != nil {
			t.Fatalf("found what is not there: %v", err)
		}
	}
	all := func(ix *Index, key Key) []int64 {
		var out []int64
		var row Row
		for r, err := range ix.Rows(&row, key) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r.Rowid)
		}
		return out
	}
	want := func(query string, arg any) []int64 {
		var out []int64
		rows, err := oracle.Query(query, arg)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			out = append(out, id)
		}
		return out
	}
	for range 100 {
		b := int64(rnd.IntN(n/20 + 2))
		if got, want := all(byb, Int(b)), want("SELECT rowid FROM t INDEXED BY byb WHERE b = ? ORDER BY b, e, rowid", b); !slices.Equal(got, want) {
			t.Fatalf("b = %d: rows %v, want %v", b, got, want)
		}
		c := bytes.Repeat([]byte{'a' + byte(rnd.IntN(26))}, rnd.IntN(30))
		if got, want := all(byc, Text(c)), want("SELECT rowid FROM t INDEXED BY byc WHERE c = ? ORDER BY c, rowid", string(c)); !slices.Equal(got, want) {
			t.Fatalf("c = %q: rows %v, want %v", c, got, want)
		}
	}
	for _, c := range want("SELECT rowid FROM t WHERE length(c) > ? ORDER BY length(c) LIMIT 50", 100) {
		var text string
		if err := oracle.QueryRow("SELECT c FROM t WHERE rowid = ?", c).Scan(&text); err != nil {
			t.Fatal(err)
		}
		if got, want := all(byc, Text([]byte(text))), want("SELECT rowid FROM t INDEXED BY byc WHERE c = ? ORDER BY c, rowid", text); !slices.Equal(got, want) {
			t.Fatalf("c = %d bytes: rows %v, want %v", len(text), got, want)
		}
	}
}
