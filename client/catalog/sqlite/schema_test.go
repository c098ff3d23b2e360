package sqlite

import (
	"slices"
	"strings"
	"testing"
)

// TestSchemas opens tables as SQLite stores their definitions and compares content,
// and which indexes are plain.
func TestSchemas(t *testing.T) {
	tests := []struct {
		name    string
		create  []string
		columns string   // of table t, "" when it must not be readable
		indexes []string // columns of the plain ones, in the order of sqlite_schema
		alias   int
	}{
		{"plain", []string{"CREATE TABLE t (a INT, b TEXT)"}, "a b", nil, -1},
		{"rowid alias", []string{"CREATE TABLE t (b TEXT, a INTEGER PRIMARY KEY)"}, "b a", nil, 1},
		{"rowid alias below", []string{"CREATE TABLE t (b, a INTEGER NOT NULL, CONSTRAINT x PRIMARY KEY(a))"}, "b a", nil, 1},
		{"rowid alias descending", []string{"CREATE TABLE t (b, a INTEGER, PRIMARY KEY(a DESC))"}, "b a", nil, 1},
		{"no alias: INT", []string{"CREATE TABLE t (b, a INT PRIMARY KEY)"}, "b a", []string{"a"}, -1},
		{"no alias: descending", []string{"CREATE TABLE t (b UNIQUE, a INTEGER PRIMARY KEY DESC)"}, "b a", []string{"b"}, -1},
		{"autoincrement", []string{"CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT, b)"}, "a b", nil, 0},
		{"quotes", []string{`CREATE TABLE "t" ([a] INT, "b c" TEXT, ` + "`d``e`" + ` TEXT, 'f' , "g""h", UNIQUE("b c", [a]))`}, "a|b c|d`e|f|g\"h", []string{"b c|a"}, -1},
		{"comments", []string{"CREATE TABLE t -- (x)\n (a /* , y */ INT, -- z\n b)"}, "a b", nil, -1},
		{"checks", []string{"CREATE TABLE t (a INT CHECK (a IN (1, 2, ')')), b DECIMAL(10, 2) DEFAULT (1+(2)), CHECK (a > 0), FOREIGN KEY (a) REFERENCES u(x))"}, "a b", nil, -1},
		{"order of indexes", []string{"CREATE TABLE t (a INT UNIQUE, b TEXT COLLATE NOCASE UNIQUE, c UNIQUE, PRIMARY KEY (c, a))"}, "a b c", []string{"a", "c", "c a"}, -1},
		{"doubled index", []string{"CREATE TABLE t (a INT UNIQUE, b, PRIMARY KEY (a), UNIQUE (b))"}, "a b", []string{"a", "b"}, -1},
		{"doubled on one column", []string{"CREATE TABLE t (a TEXT PRIMARY KEY UNIQUE, b UNIQUE)"}, "a b", []string{"a", "b"}, -1},
		{"made indexes", []string{"CREATE TABLE t (a, b TEXT COLLATE NOCASE)", "CREATE UNIQUE INDEX i ON t(a)", "CREATE INDEX IF NOT EXISTS \"on\" ON t (b)",
			"CREATE INDEX j ON t (a DESC)", "CREATE INDEX k ON t (a COLLATE RTRIM)", "CREATE INDEX l ON t (a+1)", "CREATE INDEX m ON t (a) WHERE a > 3", "CREATE INDEX n ON t (a ASC, a)"}, "a b", []string{"a", "a a"}, -1},
		{"without rowid", []string{"CREATE TABLE t (a INT PRIMARY KEY, b) WITHOUT ROWID"}, "", nil, 0},
		{"view", []string{"CREATE TABLE u (a)", "CREATE VIEW t AS SELECT * FROM u", "CREATE TRIGGER x AFTER INSERT ON u BEGIN SELECT 1; END"}, "", nil, 0},
		{"too many columns", []string{"CREATE TABLE t (a" + many(40) + ")"}, "", nil, 0},
		{"added column", []string{"CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", "ALTER TABLE t ADD COLUMN b TEXT"}, "a b", nil, -1},
		{"renamed column", []string{"CREATE TABLE t (a, c)", "ALTER TABLE t RENAME COLUMN c TO b"}, "a b", nil, -1},
		{"selected", []string{"CREATE TABLE t AS SELECT 1 AS a, 'x' AS b"}, "a b", nil, -1},
		{"auto-vacuum", []string{"PRAGMA auto_vacuum = FULL", "CREATE TABLE t (a, b)"}, "a b", nil, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db, oracle := open(t, build(t, tt.create...), nil)
			tab := db.Table("T")
			if tt.columns == "" {
				if tab != nil {
					t.Fatalf("table %+v", tab)
				}
				return
			}
			if tab == nil {
				t.Fatal("no table")
			}
			split := func(s string) []string {
				return strings.FieldsFunc(s, func(r rune) bool { return r == '|' || r == ' ' && !strings.Contains(s, "|") })
			}
			if got, want := tab.columns, split(tt.columns); !slices.Equal(got, want) || tab.alias != tt.alias {
				t.Errorf("columns %q, alias %d, want %q, %d", got, tab.alias, want, tt.alias)
			}
			var got []string
			for _, ix := range tab.indexes {
				got = append(got, strings.Join(ix.columns, " "))
			}
			want := slices.Clone(tt.indexes)
			for i := range want {
				want[i] = strings.Join(split(want[i]), " ")
			}
			if !slices.Equal(got, want) {
				t.Errorf("indexes %q, want %q", got, want)
			}
			if tt.columns == "a b" || tt.columns == "b a" {
				compareAll(t, db, oracle, "t", []string{"a", "b"})
			}
		})
	}
}

// many returns n column definitions.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(", c")
		b.WriteByte(byte('a' + i%26))
		b.WriteByte(byte('a' + i/26))
	}
	return b.String()
}

// TestAlias: the alias of the rowid reads as the rowid, the column in the record is
// NULL.
func TestAlias(t *testing.T) {
	db, oracle := open(t, build(t, "CREATE TABLE t (a INTEGER PRIMARY KEY, b)", "INSERT INTO t VALUES (5, 'x'), (-7, 'y'), (1 << 40, 'z')"), nil)
	compareAll(t, db, oracle, "t", []string{"a", "b"})
	var row Row
	if ok, err := db.Table("t").Get(5, &row); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if v, err := row.Int(0); v != 5 || err != nil {
		t.Errorf("Int = %d, %v", v, err)
	}
	if _, err := row.Int(1); err == nil {
		t.Error("text is no integer")
	}
}
