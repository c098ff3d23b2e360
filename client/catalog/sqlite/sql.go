package sqlite

import "strings"

// definition is what a CREATE TABLE says.
type definition struct {
	columns []string
	alias   int        // the INTEGER PRIMARY KEY, or -1
	indexed [][]string // columns of the automatic indexes, in their order; nil for one that is no plain index

	integer  map[string]bool // columns of the type INTEGER, names in lower case
	collated map[string]bool // columns that do not compare by bytes
}

// parseTable reads CREATE TABLE name (...), as SQLite stores it.
func parseTable(sql string) (definition, bool) {
	d := definition{alias: -1, integer: map[string]bool{}, collated: map[string]bool{}}
	ts, ok := tokens(sql)
	if !ok || len(ts) < 4 || !ts[0].is("CREATE") || !ts[1].is("TABLE") {
		return d, false
	}
	elements, rest, ok := list(ts[3:])
	if !ok || index(rest, "WITHOUT") >= 0 {
		return d, false
	}
	for _, e := range elements {
		if len(e) == 0 {
			return d, false
		}
		if d.constraint(e) {
			continue
		}
		if len(d.columns) == maxColumns {
			return d, false
		}
		d.column(e)
	}
	return d, len(d.columns) > 0
}

// column adds a column definition: name, type and constraints.
func (d *definition) column(e []token) {
	name := e[0].text
	key := strings.ToLower(name)
	d.columns = append(d.columns, name)
	d.integer[key] = len(e) > 1 && e[1].is("INTEGER") && (len(e) == 2 || keyword(e[2]))
	if c := index(e, "COLLATE"); c >= 0 && c+1 < len(e) && !strings.EqualFold(e[c+1].text, "BINARY") {
		d.collated[key] = true
	}
	primary, unique := index(e, "PRIMARY", "KEY"), index(e, "UNIQUE")
	descending := primary >= 0 && primary+2 < len(e) && e[primary+2].is("DESC")
	if primary >= 0 && d.integer[key] && !descending {
		d.alias = len(d.columns) - 1
		primary = -1
	}
	switch {
	case descending:
		d.unique(nil)
	case primary >= 0 || unique >= 0: // both give one index
		d.unique([]string{name})
	}
}

// keyword reports whether the token ends a column's type.
func keyword(t token) bool {
	for _, w := range [...]string{"CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED", "AS"} {
		if t.is(w) {
			return true
		}
	}
	return false
}

// constraint reports whether e is a constraint of the table, and notes its index.
func (d *definition) constraint(e []token) bool {
	if e[0].is("CONSTRAINT") && len(e) > 2 {
		e = e[2:]
	}
	switch {
	case e[0].is("PRIMARY") && len(e) > 2 && e[1].is("KEY"):
		if cols, _, _ := list(e[2:]); len(cols) == 1 && len(cols[0]) > 0 && d.integer[strings.ToLower(cols[0][0].text)] {
			for i, c := range d.columns {
				if strings.EqualFold(c, cols[0][0].text) {
					d.alias = i
				}
			}
			return true
		}
		d.unique(names(e[2:]))
	case e[0].is("UNIQUE") && len(e) > 1:
		d.unique(names(e[1:]))
	case e[0].is("CHECK") || e[0].is("FOREIGN"):
	default:
		return false
	}
	return true
}

// unique notes an automatic index, with nil one that is not plain. Of two on the same
// columns SQLite makes one.
func (d *definition) unique(cols []string) {
	for _, old := range d.indexed {
		if cols != nil && strings.EqualFold(strings.Join(old, "\x00"), strings.Join(cols, "\x00")) {
			return
		}
	}
	d.indexed = append(d.indexed, cols)
}

// parseIndex returns the columns of CREATE [UNIQUE] INDEX name ON table (...), nil if
// it is not a plain index.
func parseIndex(sql string) []string {
	ts, ok := tokens(sql)
	on := index(ts, "ON")
	if !ok || on < 3 || len(ts) < on+3 || !ts[0].is("CREATE") {
		return nil
	}
	if _, rest, ok := list(ts[on+2:]); !ok || len(rest) > 0 {
		return nil
	}
	return names(ts[on+2:])
}
