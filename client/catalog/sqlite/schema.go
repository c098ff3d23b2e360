package sqlite

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// schemaColumns are those of sqlite_schema (file format, section 2.6).
var schemaColumns = [...]string{"type", "name", "tbl_name", "rootpage", "sql"}

// object is a row of sqlite_schema.
type object struct {
	kind, name, table, sql string
	root                   uint32
}

// readSchema fills db.tables. Objects whose definition is not understood are left
// out: a caller who needs one finds it missing.
func (db *DB) readSchema() error {
	db.tables = map[string]*Table{}
	schema := &Table{db: db, name: "sqlite_schema", root: 1, columns: schemaColumns[:], alias: -1}
	var indexes []object
	definitions := map[string]definition{}
	count := 0
	for row, err := range schema.Rows() {
		if err != nil {
			return err
		}
		if count++; count > maxSchema {
			return fmt.Errorf("%w: more than %d rows", ErrDamaged, maxSchema)
		}
		o, ok, err := db.object(row)
		if err != nil {
			return err
		}
		switch {
		case !ok:
		case o.kind == "index":
			indexes = append(indexes, o)
		case o.kind == "table":
			if def, ok := parseTable(o.sql); ok {
				key := strings.ToLower(o.name)
				db.tables[key] = &Table{db: db, name: o.name, root: o.root, columns: def.columns, alias: def.alias}
				definitions[key] = def
			}
		}
	}
	for _, o := range indexes {
		key := strings.ToLower(o.table)
		if t := db.tables[key]; t != nil {
			if cols := indexColumns(o, definitions[key].indexed); definitions[key].plain(cols) {
				t.indexes = append(t.indexes, &Index{t: t, name: o.name, root: o.root, columns: cols})
			}
		}
	}
	return nil
}

// object returns the schema row, and false for what has no pages (views, triggers,
// virtual tables) or is too long to be a table of ours.
func (db *DB) object(row *Row) (object, bool, error) {
	var text [5]string
	for i := range text {
		b, err := row.Bytes(i)
		if err != nil {
			return object{}, false, err
		}
		if len(b) > maxSQL {
			return object{}, false, nil
		}
		text[i] = string(b)
	}
	root, err := strconv.ParseInt(text[3], 10, 64)
	if err != nil || root < 1 || root > math.MaxUint32 {
		return object{}, false, nil
	}
	return object{text[0], text[1], text[2], text[4], uint32(root)}, true, nil
}

// plain reports whether all of names, at least one, are columns that compare by bytes.
func (d definition) plain(names []string) bool {
	for _, n := range names {
		if d.collated[strings.ToLower(n)] || !slices.ContainsFunc(d.columns, func(c string) bool { return strings.EqualFold(c, n) }) {
			return false
		}
	}
	return len(names) > 0
}

// indexColumns returns the columns of an index, nil if it is not a plain one.
// Automatic indexes are numbered as the constraints of their table.
func indexColumns(o object, constraints [][]string) []string {
	if o.sql != "" {
		return parseIndex(o.sql)
	}
	number, ok := strings.CutPrefix(o.name, "sqlite_autoindex_"+o.table+"_")
	i, err := strconv.Atoi(number)
	if !ok || err != nil || i < 1 || i > len(constraints) {
		return nil
	}
	return constraints[i-1]
}
