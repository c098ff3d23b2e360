package sqlite

import (
	"fmt"
	"iter"
	"strings"
)

// A Table is a table of a database, or the schema table itself.
type Table struct {
	db      *DB
	name    string
	root    uint32
	columns []string
	alias   int // the INTEGER PRIMARY KEY column, or -1
	indexes []*Index
}

// Table returns the table of that name, nil when the database has none that can be
// read.
func (db *DB) Table(name string) *Table { return db.tables[strings.ToLower(name)] }

// Column returns the number of a column, -1 when the table has none of that name.
func (t *Table) Column(name string) int {
	for i, c := range t.columns {
		if strings.EqualFold(c, name) {
			return i
		}
	}
	return -1
}

// maxLocal is the most bytes of a record that a leaf page of a table holds.
func (t *Table) maxLocal() int { return t.db.usable - 35 }

// leafCell splits a cell of a leaf page.
func (t *Table) leafCell(c []byte) (rowid int64, rec payload, err error) {
	total, n := varint(c)
	id, m := varint(c[n:])
	if n == 0 || m == 0 {
		return 0, rec, fmt.Errorf("%w: cell runs over its page", ErrDamaged)
	}
	rec, err = t.db.payload(c[n+m:], total, t.maxLocal())
	return int64(id), rec, err
}

// key returns the rowid in the i-th cell.
func (t *Table) key(n *node, i int) (int64, error) {
	c, err := n.cell(i)
	if err != nil {
		return 0, err
	}
	skip := 4 // the left child
	if n.leaf {
		_, skip = varint(c)
	}
	id, m := varint(c[skip:])
	if skip == 0 || m == 0 {
		return 0, fmt.Errorf("%w: cell runs over its page", ErrDamaged)
	}
	return int64(id), nil
}

// Get makes row the row with that rowid and reports whether there is one.
func (t *Table) Get(rowid int64, row *Row) (bool, error) { return t.get(rowid, row, nil) }

func (t *Table) get(rowid int64, row *Row, b *budget) (bool, error) {
	no := t.root
	for range maxDepth {
		n, err := t.db.node(no, tableInterior, tableLeaf)
		if err != nil {
			return false, t.err(err)
		}
		lo, hi := 0, n.cells // the first cell with a key of at least rowid
		for lo < hi {
			mid := (lo + hi) / 2
			k, err := t.key(&n, mid)
			if err != nil {
				return false, t.err(err)
			}
			if k < rowid {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if n.leaf {
			return t.leafRow(&n, lo, rowid, row, b)
		}
		if no, err = n.child(lo); err != nil {
			return false, t.err(err)
		}
	}
	return false, t.err(errTooDeep)
}

// leafRow makes row the i-th of a leaf page if that has the rowid.
func (t *Table) leafRow(n *node, i int, rowid int64, row *Row, b *budget) (bool, error) {
	if i == n.cells {
		return false, nil
	}
	c, err := n.cell(i)
	if err != nil {
		return false, t.err(err)
	}
	id, rec, err := t.leafCell(c)
	if err != nil || id != rowid {
		return false, t.err(err)
	}
	if err := row.set(t, id, rec, b); err != nil {
		return false, t.err(err)
	}
	return true, nil
}

// Rows scans the table in the order of rowids. The row is the same variable each
// time. After an error the scan ends.
func (t *Table) Rows() iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		s := tableScan{t: t, budget: budget{int64(t.db.pages)}, yield: yield}
		if _, err := s.walk(t.root, 1); err != nil {
			yield(nil, t.err(err))
		}
	}
}

type tableScan struct {
	t      *Table
	budget budget
	row    Row
	yield  func(*Row, error) bool
}

// walk visits the rows below a page; it returns false when the caller has enough.
func (s *tableScan) walk(no uint32, depth int) (bool, error) {
	if err := s.budget.visit(depth); err != nil {
		return false, err
	}
	n, err := s.t.db.node(no, tableInterior, tableLeaf)
	if err != nil {
		return false, err
	}
	for i := 0; i < n.cells || i == n.cells && !n.leaf; i++ {
		if !n.leaf {
			child, err := n.child(i)
			if err != nil {
				return false, err
			}
			if more, err := s.walk(child, depth+1); !more || err != nil {
				return false, err
			}
			continue
		}
		c, err := n.cell(i)
		if err != nil {
			return false, err
		}
		id, rec, err := s.t.leafCell(c)
		if err == nil {
			err = s.row.set(s.t, id, rec, &s.budget)
		}
		if err != nil {
			return false, err
		}
		if !s.yield(&s.row, nil) {
			return false, nil
		}
	}
	return true, nil
}

// MaxRowid returns the largest rowid of the table, 0 when it is empty.
func (t *Table) MaxRowid() (int64, error) {
	no := t.root
	for range maxDepth {
		n, err := t.db.node(no, tableInterior, tableLeaf)
		if err != nil {
			return 0, t.err(err)
		}
		if n.leaf {
			if n.cells == 0 {
				return 0, nil
			}
			id, err := t.key(&n, n.cells-1)
			return id, t.err(err)
		}
		no = n.right
	}
	return 0, t.err(errTooDeep)
}

func (t *Table) err(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("table %q: %w", t.name, err)
}
