package catalog

import (
	"fmt"
	"sync"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

const (
	// firstOffset is the largest number that belongs to no row, as in the C++ client
	// (catalog_mgr_impl.h): the root directory has 256, if it is the first row.
	firstOffset = 255
	// maxRows bounds the numbers one catalog can take.
	maxRows = 1 << 40
)

// Inodes numbers the entries of catalogs, see the package comment. It takes some 200
// bytes for each catalog ever attached and some 50 for each hard-link group ever seen.
// Any number of goroutines and trees may use one.
type Inodes struct {
	mu      sync.Mutex
	last    uint64
	regions map[regionKey]*region
}

type regionKey struct {
	mountpoint string
	hash       object.Hash
}

// region is the range of numbers of one catalog.
type region struct {
	offset uint64
	rows   int64

	mu     sync.Mutex
	groups map[uint32]int64 // hard-link group to the row first seen
}

// NewInodes returns numbers for a mount.
func NewInodes() *Inodes {
	return &Inodes{last: firstOffset, regions: map[regionKey]*region{}}
}

// Max returns the largest number in use, or that may come into use without another
// catalog being attached.
func (n *Inodes) Max() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}

// region returns the numbers of a catalog with row numbers up to rows.
func (n *Inodes) region(mountpoint string, hash object.Hash, rows int64) (*region, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := regionKey{mountpoint, hash}
	if r := n.regions[key]; r != nil && r.rows == rows {
		return r, nil
	}
	if rows < 0 || rows > maxRows || n.last > 1<<62 {
		return nil, fmt.Errorf("%w: row number %d", ErrDamaged, rows)
	}
	r := &region{offset: n.last, rows: rows}
	n.last += uint64(rows)
	n.regions[key] = r
	return r, nil
}

// number returns the inode of a row.
func (r *region) number(rowid int64, group uint32) (uint64, error) {
	if rowid < 1 || rowid > r.rows {
		return 0, fmt.Errorf("%w: row number %d of %d", ErrDamaged, rowid, r.rows)
	}
	if group != 0 {
		r.mu.Lock()
		if first, ok := r.groups[group]; ok {
			rowid = first
		} else {
			if r.groups == nil {
				r.groups = map[uint32]int64{}
			}
			r.groups[group] = rowid
		}
		r.mu.Unlock()
	}
	return r.offset + uint64(rowid), nil
}
