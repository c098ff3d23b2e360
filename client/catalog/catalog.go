package catalog

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog/sqlite"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// A File is an uncompressed catalog.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// A Catalog is one open catalog. Any number of goroutines may use it at once.
type Catalog struct {
	db         *sqlite.DB
	hash       object.Hash
	mountpoint string
	props      Properties
	inodes     *region

	rows     *sqlite.Table
	col      columns
	byPath   *sqlite.Index
	byParent *sqlite.Index
	nested   []links
}

// Open opens the catalog with that hash, attached at mountpoint. The hash is not
// checked: whoever made f has done so. Closing f is the caller's, after the last use.
// A nil cache or a nil inodes means one of its own. Errors wrap [ErrDamaged],
// [ErrUnsupported] or f's.
func Open(f File, hash object.Hash, mountpoint string, cache *sqlite.Cache, inodes *Inodes) (*Catalog, error) {
	db, err := sqlite.Open(f, f.Size(), cache)
	if err != nil {
		return nil, err
	}
	c := &Catalog{db: db, hash: hash, mountpoint: mountpoint}
	if c.props, err = readProperties(db); err != nil {
		return nil, err
	}
	if c.rows = db.Table("catalog"); c.rows == nil {
		return nil, fmt.Errorf("%w: no table catalog", ErrDamaged)
	}
	if c.col, err = newColumns(c.rows); err != nil {
		return nil, err
	}
	c.byPath, c.byParent = c.rows.Index("md5path_1", "md5path_2"), c.rows.Index("parent_1", "parent_2")
	if c.byPath == nil || c.byParent == nil {
		return nil, fmt.Errorf("%w: an index of table catalog is missing", ErrDamaged)
	}
	if err := c.openLinks(); err != nil {
		return nil, err
	}
	last, err := c.rows.MaxRowid()
	if err != nil {
		return nil, err
	}
	if inodes == nil {
		inodes = NewInodes()
	}
	c.inodes, err = inodes.region(mountpoint, hash, last)
	return c, err
}

// Hash returns the hash that names the catalog.
func (c *Catalog) Hash() object.Hash { return c.hash }

// Mountpoint returns the path where the catalog is attached.
func (c *Catalog) Mountpoint() string { return c.mountpoint }

// Properties returns what the catalog says about itself.
func (c *Catalog) Properties() Properties { return c.props }

// translate splits a path at or below the mountpoint into two parts, which together
// are the path as this catalog writes it.
func (c *Catalog) translate(path string) (prefix, rest string) {
	if c.mountpoint == c.props.RootPrefix {
		return "", path
	}
	return c.props.RootPrefix, path[len(c.mountpoint):]
}

// key returns the key of a path as two SQLite integers (CVMFS, catalog_sql.cc).
func (c *Catalog) key(path string) (a, b int64) {
	prefix, rest := c.translate(path)
	var buf [512]byte
	sum := md5.Sum(append(append(buf[:0], prefix...), rest...))
	return int64(binary.LittleEndian.Uint64(sum[:8])), int64(binary.LittleEndian.Uint64(sum[8:]))
}

// find makes row the row of a path and reports whether there is one.
func (c *Catalog) find(path string, row *sqlite.Row) (bool, error) {
	a, b := c.key(path)
	id, ok, err := c.byPath.Find(sqlite.Int(a), sqlite.Int(b))
	if err != nil || !ok {
		return false, err
	}
	ok, err = c.rows.Get(id, row)
	if err != nil {
		return false, err
	}
	if !ok || !holds(row, c.col.md5path1, a, c.col.md5path2, b) {
		return false, fmt.Errorf("%w: index and row %d differ", ErrDamaged, id)
	}
	return true, nil
}

// holds reports whether a row has these numbers in these columns, as the index said
// that led to it.
func holds(row *sqlite.Row, colA int, a int64, colB int, b int64) bool {
	var in ints
	return in.get(row, colA) == a && in.get(row, colB) == b && in.err == nil
}

// lookup returns the entry of a path at or below the mountpoint and whether this
// catalog has it.
func (c *Catalog) lookup(path string) (Entry, bool, error) {
	var row sqlite.Row
	ok, err := c.find(path, &row)
	if err != nil || !ok {
		return Entry{}, false, err
	}
	e, err := c.entry(&row, path[strings.LastIndexByte(path, '/')+1:])
	return e, err == nil, err
}

// list calls fn for what is listed in a directory of this catalog.
func (c *Catalog) list(dir string, fn func(Entry) error) error {
	a, b := c.key(dir)
	var row sqlite.Row
	for _, err := range c.byParent.Rows(&row, sqlite.Int(a), sqlite.Int(b)) {
		if err == nil && !holds(&row, c.col.parent1, a, c.col.parent2, b) {
			err = fmt.Errorf("%w: index and row %d differ", ErrDamaged, row.Rowid)
		}
		if err != nil {
			return err
		}
		name, err := row.Bytes(c.col.name)
		if err != nil {
			return err
		}
		n := cstring(name)
		if n == "" || n == "." || n == ".." || strings.IndexByte(n, '/') >= 0 {
			continue // a name nobody can look up
		}
		e, err := c.entry(&row, n)
		if err != nil {
			return err
		}
		if e.IsHidden() {
			continue
		}
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}
