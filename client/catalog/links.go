package catalog

import (
	"fmt"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog/sqlite"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// links is the table nested_catalogs or bind_mountpoints.
type links struct {
	rows   *sqlite.Table
	byPath *sqlite.Index
	sha1   int
}

// openLinks finds the tables of catalogs below this one.
func (c *Catalog) openLinks() error {
	for _, name := range [...]string{"nested_catalogs", "bind_mountpoints"} {
		t := c.db.Table(name)
		if t == nil { // legacy, or a revision before 4
			continue
		}
		l := links{rows: t, byPath: t.Index("path"), sha1: t.Column("sha1")}
		if l.byPath == nil || l.sha1 < 0 {
			return fmt.Errorf("%w: table %s lacks a column or its index", ErrDamaged, name)
		}
		c.nested = append(c.nested, l)
	}
	return nil
}

// link returns the hash of the catalog attached at exactly this path below the
// mountpoint, and whether there is one.
func (c *Catalog) link(path string) (object.Hash, bool, error) {
	prefix, rest := c.translate(path)
	var buf [512]byte
	key := append(append(buf[:0], prefix...), rest...)
	for _, l := range c.nested {
		id, ok, err := l.byPath.Find(sqlite.Text(key))
		if err != nil {
			return object.Hash{}, false, err
		}
		if !ok {
			continue
		}
		var row sqlite.Row
		ok, err = l.rows.Get(id, &row)
		if err == nil && !ok {
			err = fmt.Errorf("%w: nested catalog %q has no row", ErrDamaged, path)
		}
		if err != nil {
			return object.Hash{}, false, err
		}
		text, err := row.Bytes(l.sha1)
		if err != nil || len(text) == 0 {
			return object.Hash{}, err == nil, err
		}
		h, err := object.Parse(cstring(text))
		if err != nil {
			return object.Hash{}, false, fmt.Errorf("%w: nested catalog %q: %w", ErrDamaged, path, err)
		}
		return h, true, nil
	}
	return object.Hash{}, false, nil
}

// linkAbove returns the nearest mountpoint below this catalog's own that lies above
// path, and the hash of the catalog there; "" if there is none.
func (c *Catalog) linkAbove(path string) (string, object.Hash, error) {
	for i := len(c.mountpoint) + 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		if h, ok, err := c.link(path[:i]); ok || err != nil {
			return path[:i], h, err
		}
	}
	return "", object.Hash{}, nil
}
