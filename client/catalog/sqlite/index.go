package sqlite

import (
	"fmt"
	"iter"
)

// An Index is an index over plain columns in ascending binary order.
type Index struct {
	t       *Table
	name    string
	root    uint32
	columns []string
}

// Index returns an index that begins with these columns, nil when the table has none.
func (t *Table) Index(columns ...string) *Index {
next:
	for _, ix := range t.indexes {
		if len(ix.columns) < len(columns) {
			continue
		}
		for i, c := range columns {
			if t.Column(ix.columns[i]) != t.Column(c) {
				continue next
			}
		}
		return ix
	}
	return nil
}

// entry returns the record in the i-th cell.
func (ix *Index) entry(n *node, i int) (payload, error) {
	c, err := n.cell(i)
	if err != nil {
		return payload{}, err
	}
	if !n.leaf {
		c = c[4:]
	}
	total, k := varint(c)
	if k == 0 {
		return payload{}, fmt.Errorf("%w: cell runs over its page", ErrDamaged)
	}
	if total > maxKey {
		return payload{}, fmt.Errorf("%w: index entry of %d bytes", ErrDamaged, total)
	}
	usable := ix.t.db.usable
	return ix.t.db.payload(c[k:], total, (usable-12)*64/255-23)
}

// compare orders the i-th cell against keys.
func (ix *Index) compare(n *node, i int, keys []Key, b *budget) (int, error) {
	p, err := ix.entry(n, i)
	if err != nil {
		return 0, err
	}
	c, err := compareRecord(p.local, keys)
	if err == errShort && len(p.local) < p.total {
		data, lerr := ix.t.db.full(p, b)
		if lerr != nil {
			return 0, lerr
		}
		c, err = compareRecord(data, keys)
	}
	return c, damaged(err)
}

// rowid returns the rowid in the i-th cell: the value behind the indexed columns.
func (ix *Index) rowid(n *node, i int, b *budget) (int64, error) {
	p, err := ix.entry(n, i)
	if err != nil {
		return 0, err
	}
	rec, err := ix.t.db.full(p, b)
	if err != nil {
		return 0, err
	}
	h, err := newHeader(rec)
	if err != nil {
		return 0, damaged(err)
	}
	for range ix.columns {
		if _, _, _, err := h.next(); err != nil {
			return 0, err
		}
	}
	t, off, k, err := h.next()
	if err != nil {
		return 0, err
	}
	if off+k > len(rec) || t == 0 || t == 7 || t >= 12 {
		return 0, fmt.Errorf("%w: index entry without rowid", ErrDamaged)
	}
	return integer(t, rec[off:]), nil
}

// search returns the first cell of a page that is not before keys, and whether it is
// equal.
func (ix *Index) search(n *node, keys []Key) (int, bool, error) {
	lo, hi, equal := 0, n.cells, false
	for lo < hi {
		mid := (lo + hi) / 2
		c, err := ix.compare(n, mid, keys, nil)
		if err != nil {
			return 0, false, err
		}
		if c < 0 {
			lo = mid + 1
		} else {
			hi, equal = mid, c == 0
		}
	}
	return lo, equal, nil
}

// Find returns the rowid of a row whose first indexed columns equal keys, and whether
// there is one.
func (ix *Index) Find(keys ...Key) (int64, bool, error) {
	no := ix.root
	for range maxDepth {
		n, err := ix.t.db.node(no, indexInterior, indexLeaf)
		if err != nil {
			return 0, false, ix.err(err)
		}
		i, equal, err := ix.search(&n, keys)
		if err != nil {
			return 0, false, ix.err(err)
		}
		if equal {
			id, err := ix.rowid(&n, i, nil)
			return id, err == nil, ix.err(err)
		}
		if n.leaf {
			return 0, false, nil
		}
		if no, err = n.child(i); err != nil {
			return 0, false, ix.err(err)
		}
	}
	return 0, false, ix.err(errTooDeep)
}

// Rows scans the rows whose first indexed columns equal keys, in the order of the
// index. It yields row each time; after an error the scan ends.
func (ix *Index) Rows(row *Row, keys ...Key) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		// An index entry is compared and read: its overflow pages count twice.
		s := indexScan{ix: ix, keys: keys, budget: budget{4 * int64(ix.t.db.pages)}, row: row, yield: yield}
		if _, err := s.walk(ix.root, 1); err != nil {
			yield(nil, ix.err(err))
		}
	}
}

type indexScan struct {
	ix     *Index
	keys   []Key
	budget budget
	row    *Row
	yield  func(*Row, error) bool
}

// walk visits the entries below a page; it returns false when no more can come.
func (s *indexScan) walk(no uint32, depth int) (bool, error) {
	if err := s.budget.visit(depth); err != nil {
		return false, err
	}
	n, err := s.ix.t.db.node(no, indexInterior, indexLeaf)
	if err != nil {
		return false, err
	}
	i, _, err := s.ix.search(&n, s.keys)
	if err != nil {
		return false, err
	}
	for ; ; i++ {
		if !n.leaf {
			child, err := n.child(i)
			if err != nil {
				return false, err
			}
			if more, err := s.walk(child, depth+1); !more || err != nil {
				return false, err
			}
		}
		if i >= n.cells {
			return true, nil
		}
		c, err := s.ix.compare(&n, i, s.keys, &s.budget)
		if c > 0 || err != nil {
			return false, err
		}
		if c < 0 {
			return false, fmt.Errorf("%w: entries of page %d out of order", ErrDamaged, no)
		}
		id, err := s.ix.rowid(&n, i, &s.budget)
		if err != nil {
			return false, err
		}
		ok, err := s.ix.t.get(id, s.row, &s.budget)
		if err == nil && !ok {
			err = fmt.Errorf("%w: no row %d", ErrDamaged, id)
		}
		if err != nil {
			return false, err
		}
		if !s.yield(s.row, nil) {
			return false, nil
		}
	}
}

func (ix *Index) err(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("index %q: %w", ix.name, err)
}
