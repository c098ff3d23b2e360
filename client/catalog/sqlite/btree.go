package sqlite

import (
	"encoding/binary"
	"fmt"
)

// Kinds of b-tree pages (file format, section 1.6).
const (
	indexInterior = 2
	tableInterior = 5
	indexLeaf     = 10
	tableLeaf     = 13
)

// node is a b-tree page whose header and cell pointers lie within it.
type node struct {
	data  []byte
	leaf  bool
	cells int
	ptrs  int    // where the cell pointers start
	right uint32 // the last child of an interior page
}

// node reads page no, which must be of the kind interior or leaf.
func (db *DB) node(no uint32, interior, leaf byte) (node, error) {
	data, err := db.page(no)
	if err != nil {
		return node{}, err
	}
	base := 0
	if no == 1 {
		base = headerSize
	}
	n := node{data: data, leaf: data[base] == leaf, ptrs: base + 8}
	if !n.leaf {
		if data[base] != interior {
			return node{}, fmt.Errorf("%w: page %d is of kind %d", ErrDamaged, no, data[base])
		}
		n.ptrs = base + 12
		n.right = binary.BigEndian.Uint32(data[base+8:])
	}
	n.cells = int(binary.BigEndian.Uint16(data[base+3:]))
	if n.ptrs+2*n.cells > len(data) {
		return node{}, fmt.Errorf("%w: page %d has %d cells", ErrDamaged, no, n.cells)
	}
	return n, nil
}

// cell returns the page from the i-th cell on.
func (n *node) cell(i int) ([]byte, error) {
	off := int(binary.BigEndian.Uint16(n.data[n.ptrs+2*i:]))
	if off < n.ptrs+2*n.cells || off > len(n.data)-4 {
		return nil, fmt.Errorf("%w: cell %d at %d", ErrDamaged, i, off)
	}
	return n.data[off:], nil
}

// child returns the page left of the i-th cell, or the last child.
func (n *node) child(i int) (uint32, error) {
	if i >= n.cells {
		return n.right, nil
	}
	c, err := n.cell(i)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(c), nil
}

// payload is a record, the end of which may lie on overflow pages.
type payload struct {
	local []byte
	total int
	next  uint32 // first overflow page, when local is not all
}

// payload cuts a record of the given length from the bytes that follow the lengths
// of its cell; at most maxLocal bytes of it can be on this page.
func (db *DB) payload(cell []byte, total uint64, maxLocal int) (payload, error) {
	if total > maxPayload || total > uint64(db.size) {
		return payload{}, fmt.Errorf("%w: record of %d bytes", ErrDamaged, total)
	}
	p := payload{total: int(total)}
	n := p.total
	if n > maxLocal {
		minLocal := (db.usable-12)*32/255 - 23
		if n = minLocal + (p.total-minLocal)%(db.usable-4); n > maxLocal {
			n = minLocal
		}
		if len(cell) < n+4 {
			return payload{}, fmt.Errorf("%w: record runs over its page", ErrDamaged)
		}
		p.next = binary.BigEndian.Uint32(cell[n:])
	}
	if len(cell) < n {
		return payload{}, fmt.Errorf("%w: record runs over its page", ErrDamaged)
	}
	p.local = cell[:n:n]
	return p, nil
}

// full returns the whole record. The overflow pages are taken from the budget of the
// scan that found it, if it was one.
func (db *DB) full(p payload, b *budget) ([]byte, error) {
	if len(p.local) == p.total {
		return p.local, nil
	}
	out := append(make([]byte, 0, p.total), p.local...)
	for no := p.next; len(out) < p.total; {
		if err := b.spend(); err != nil {
			return nil, fmt.Errorf("overflow: %w", err)
		}
		data, err := db.page(no)
		if err != nil {
			return nil, fmt.Errorf("overflow: %w", err)
		}
		no = binary.BigEndian.Uint32(data)
		out = append(out, data[4:min(len(data), 4+p.total-len(out))]...)
	}
	return out, nil
}

// varint reads a variable-length integer of 1 to 9 bytes and returns its length, 0 at
// the end of b.
func varint(b []byte) (uint64, int) {
	var v uint64
	for i := range min(len(b), 8) {
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	if len(b) < 9 {
		return 0, 0
	}
	return v<<8 | uint64(b[8]), 9
}

var errTooDeep = fmt.Errorf("%w: tree of more than %d levels", ErrDamaged, maxDepth)

// A budget bounds the pages a scan may visit: in a sound file each page belongs to
// one place of one tree.
type budget struct{ left int64 }

// visit takes the page of a tree level, counted from 1.
func (b *budget) visit(depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	return b.spend()
}

// spend takes one page; nil is a budget without end.
func (b *budget) spend() error {
	if b == nil {
		return nil
	}
	if b.left == 0 {
		return fmt.Errorf("%w: pages belong to several places", ErrDamaged)
	}
	b.left--
	return nil
}
