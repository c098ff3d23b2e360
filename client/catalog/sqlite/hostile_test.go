package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// seed makes a small database of several levels, with overflow pages.
func seed(t testing.TB, pageSize, rows int) []byte {
	t.Helper()
	path := fill(t, pageSize, rows, rand.New(rand.NewPCG(3, uint64(pageSize))))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestOpenRefuses(t *testing.T) {
	good := seed(t, 1024, 20)
	tests := []struct {
		name   string
		change func(b []byte) []byte
		want   error
	}{
		{"empty", func(b []byte) []byte { return nil }, ErrDamaged},
		{"header alone", func(b []byte) []byte { return b[:100] }, ErrDamaged},
		{"magic", func(b []byte) []byte { b[0]++; return b }, ErrDamaged},
		{"page size 0", func(b []byte) []byte { b[16] = 0; return b }, ErrDamaged},
		{"page size 256", func(b []byte) []byte { b[16] = 1; return b }, ErrDamaged},
		{"page size 1023", func(b []byte) []byte { b[16], b[17] = 3, 255; return b }, ErrDamaged},
		{"another page size", func(b []byte) []byte { b[16] = 8; return b }, ErrDamaged},
		{"write-ahead log", func(b []byte) []byte { b[18], b[19] = 2, 2; return b }, ErrUnsupported},
		{"write-ahead log to write", func(b []byte) []byte { b[18] = 2; return b }, ErrUnsupported},
		{"fractions", func(b []byte) []byte { b[21] = 63; return b }, ErrDamaged},
		{"UTF-16", func(b []byte) []byte { b[59] = 2; return b }, ErrUnsupported},
		{"schema format", func(b []byte) []byte { b[47] = 5; return b }, ErrUnsupported},
		{"cut", func(b []byte) []byte { return b[:len(b)-1024] }, ErrDamaged},
		{"schema page", func(b []byte) []byte { b[100] = 10; return b }, ErrDamaged},
		{"cell count", func(b []byte) []byte { b[103] = 255; return b }, ErrDamaged},
		{"cell pointer", func(b []byte) []byte { b[108], b[109] = 3, 254; return b }, ErrDamaged},
	}
	for _, tt := range tests {
		b := tt.change(bytes.Clone(good))
		if _, err := Open(bytes.NewReader(b), int64(len(b)), nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestReserved: bytes reserved at the end of pages are left out. SQLite makes such
// files for extensions only, so the reserve is put into an empty database's header
// before SQLite itself fills it.
func TestReserved(t *testing.T) {
	path := build(t, "PRAGMA page_size=512", "CREATE TABLE x (y)", "DROP TABLE x", "VACUUM")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[20] = 32
	binary.BigEndian.PutUint16(data[105:], 512-32) // where the cells of the schema start
	if err := os.WriteFile(path, data[:512], 0o600); err != nil {
		t.Fatal(err)
	}
	fillMore(t, path)
	got, oracle := open(t, path, nil)
	if got.usable != 480 {
		t.Fatalf("%d usable bytes", got.usable)
	}
	compareAll(t, got, oracle, "t", []string{"a", "b"})
}

// TestLoops: pages that are their own children end in an error.
func TestLoops(t *testing.T) {
	data := seed(t, 512, 2000)
	db, err := Open(bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		t.Fatal(err)
	}
	tab := db.Table("t")
	for name, root := range map[string]uint32{"table": tab.root, "index": tab.Index("b").root} {
		bad := bytes.Clone(data)
		page := bad[int(root-1)*512 : int(root)*512]
		binary.BigEndian.PutUint32(page[8:], root) // the last child
		for i := range int(binary.BigEndian.Uint16(page[3:])) {
			binary.BigEndian.PutUint32(page[binary.BigEndian.Uint16(page[12+2*i:]):], root)
		}
		db, err := Open(bytes.NewReader(bad), int64(len(bad)), nil)
		if err != nil {
			t.Fatal(err)
		}
		tab := db.Table("t")
		var row Row
		rows, found, get, most := error(nil), error(nil), error(nil), error(nil)
		if name == "table" {
			for _, err := range tab.Rows() {
				rows = err
			}
			_, get = tab.Get(77, &row)
			_, most = tab.MaxRowid()
			found = get
		} else {
			for _, err := range tab.Index("b").Rows(&row, Int(5)) {
				rows = err
			}
			_, _, found = tab.Index("b").Find(Int(-3))
			get, most = found, found
		}
		for i, err := range []error{rows, found, get, most} {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, question %d: error %v", name, i, err)
			}
		}
	}
}

// use reads everything of a database that may be damaged. It fails when there are more
// rows than the file can hold.
func use(t *testing.T, data []byte) {
	t.Helper()
	db, err := Open(bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		checkKind(t, err)
		return
	}
	for _, tab := range db.tables {
		n := 0
		for row, err := range tab.Rows() {
			if err != nil {
				checkKind(t, err)
				break
			}
			if n++; n > len(data) {
				t.Fatalf("%d rows in %d bytes", n, len(data))
			}
			for i := -1; i <= len(tab.columns); i++ {
				b, err := row.Bytes(i)
				checkKind(t, err)
				if len(b) > len(data)+32 {
					t.Fatalf("value of %d bytes", len(b))
				}
				_, err = row.Int(i)
				checkKind(t, err)
			}
		}
		_, err := tab.MaxRowid()
		checkKind(t, err)
		var row Row
		for _, ix := range tab.indexes {
			n = 0
			for _, key := range []Key{Int(0), Int(3), Text([]byte("aaa"))} {
				for _, err := range ix.Rows(&row, key) {
					checkKind(t, err)
					if n++; n > 3*len(data) {
						t.Fatalf("%d entries in %d bytes", n, len(data))
					}
				}
				id, ok, err := ix.Find(key)
				checkKind(t, err)
				if ok {
					_, err = tab.Get(id, &row)
					checkKind(t, err)
				}
			}
		}
	}
}

func checkKind(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnsupported) {
		t.Errorf("error of no kind: %v", err)
	}
}

func TestDamage(t *testing.T) {
	for _, size := range []int{512, 4096} {
		data := seed(t, size, 100)
		if len(data) > 200_000 {
			data = seed(t, size, 30)
		}
		use(t, data)
		rnd := rand.New(rand.NewPCG(2, uint64(size)))
		for range testenv.Count(500, 20000) {
			bad := bytes.Clone(data)
			for range 1 + rnd.IntN(3) {
				at := rnd.IntN(len(bad))
				if rnd.IntN(2) == 0 { // a page header or cell pointers
					at = rnd.IntN(len(bad)/size)*size + rnd.IntN(40)
				}
				bad[at] = byte(rnd.Uint32())
			}
			use(t, bad)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, size := range []int{512, 1024} {
		for _, rows := range []int{0, 5, 60} {
			if data := seed(f, size, rows); len(data) < 100_000 {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 100_000 {
			return
		}
		use(t, data)
	})
}

func FuzzSQL(f *testing.F) {
	for _, s := range []string{"CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE, PRIMARY KEY (a, b))", "CREATE INDEX i ON t (a, b)", "CREATE TABLE \"x\"(\"a\"\"b\" TEXT COLLATE NOCASE)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := parseTable(s)
		if ok && (len(d.columns) == 0 || len(d.columns) > maxColumns || d.alias >= len(d.columns)) {
			t.Errorf("%q: %+v", s, d)
		}
		parseIndex(s)
		if ts, ok := tokens(s); ok && len(ts) > len(s) {
			t.Errorf("%q: %d tokens", s, len(ts))
		}
	})
}

func fillMore(t *testing.T, path string) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(9, 9))
	statements := []string{"CREATE TABLE t (a INT PRIMARY KEY, b)"}
	for i := range 300 {
		statements = append(statements, fmt.Sprintf("INSERT INTO t VALUES (%d, '%0*d')", i*7%300, 1+rnd.IntN(1500), i))
	}
	exec(t, path, statements...)
}
