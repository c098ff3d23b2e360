package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog/sqlite"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// Lookup returns the entry of a path. Errors: [ErrNotFound], or wrapping
// [ErrDamaged], or a [LoadError].
func (t *Tree) Lookup(ctx context.Context, path string) (Entry, error) {
	n, e, err := t.resolve(ctx, path)
	if err != nil {
		return Entry{}, err
	}
	n.release()
	return e, nil
}

// List calls fn for each entry of a directory, hidden ones left out, in no particular
// order and without "." and "..". It ends at the first error of fn and returns it.
// Errors are those of Lookup and [ErrNotDir]; fn may have been called before one.
func (t *Tree) List(ctx context.Context, dir string, fn func(Entry) error) error {
	n, err := t.at(ctx, dir)
	if err != nil {
		return err
	}
	defer n.release()
	var stop error
	err = n.list(dir, func(e Entry) error {
		stop = fn(e)
		return stop
	})
	if stop != nil {
		return stop
	}
	return n.err(err)
}

// at returns the catalog that describes what lies in a directory: for a mountpoint
// the one attached there. The caller releases it.
func (t *Tree) at(ctx context.Context, dir string) (*node, error) {
	n, err := t.deepest(dir)
	if err != nil || n.mountpoint == dir {
		return n, err
	}
	n.release()
	n, e, err := t.resolve(ctx, dir)
	if err != nil {
		return nil, err
	}
	if !e.IsDir() {
		n.release()
		return nil, ErrNotDir
	}
	if !e.IsMountpoint() {
		return n, nil
	}
	defer n.release()
	h, ok, err := n.link(dir)
	if err == nil && !ok {
		err = fmt.Errorf("%w: mountpoint %q names no catalog", ErrDamaged, dir)
	}
	if err != nil {
		return nil, n.err(err)
	}
	return t.attach(ctx, n, dir, h)
}

// Chunks returns the chunks of a chunked file in order, without gaps; nil for other
// entries. Errors are those of Lookup.
func (t *Tree) Chunks(ctx context.Context, path string) ([]Chunk, error) {
	n, e, err := t.resolve(ctx, path)
	if err != nil {
		return nil, err
	}
	defer n.release()
	if e.Kind() != Regular || !e.IsChunked() {
		return nil, nil
	}
	chunks, err := n.chunks(path, &e)
	return chunks, n.err(err)
}

// Xattrs returns the extended attributes of a path; none if they are malformed.
// Errors are those of Lookup.
func (t *Tree) Xattrs(ctx context.Context, path string) ([]Xattr, error) {
	n, e, err := t.resolve(ctx, path)
	if err != nil {
		return nil, err
	}
	defer n.release()
	if !e.HasXattrs {
		return nil, nil
	}
	var row sqlite.Row
	ok, err := n.rows.Get(e.rowid, &row)
	if err == nil && !ok {
		err = fmt.Errorf("%w: row %d is gone", ErrDamaged, e.rowid)
	}
	var blob []byte
	if err == nil {
		blob, err = row.Bytes(n.col.xattr)
	}
	return ParseXattrs(blob), n.err(err)
}

// Info is what is known about one catalog.
type Info struct {
	Hash       object.Hash
	Mountpoint string
	Properties Properties
	Counters   Counters
}

// Info returns the catalog that serves a path: for a mountpoint the one attached
// there. Errors are those of Lookup.
func (t *Tree) Info(ctx context.Context, path string) (Info, error) {
	n, err := t.at(ctx, path)
	if errors.Is(err, ErrNotDir) {
		n, _, err = t.resolve(ctx, path)
	}
	if err != nil {
		return Info{}, err
	}
	defer n.release()
	return n.info()
}

func (n *node) info() (Info, error) {
	c, err := n.Counters()
	return Info{n.hash, n.mountpoint, n.props, c}, n.err(err)
}

// Counters returns the counters of the root catalog, which count the repository.
func (t *Tree) Counters(ctx context.Context) (Counters, error) {
	i, err := t.Info(ctx, "")
	return i.Counters, err
}

// LoadedEntries returns the number of entries in the attached catalogs, which statfs
// reports as used.
func (t *Tree) LoadedEntries() (int64, error) {
	t.mu.RLock()
	nodes := make([]*node, 0, len(t.nodes))
	for _, n := range t.nodes {
		n.refs.Add(1)
		nodes = append(nodes, n)
	}
	t.mu.RUnlock()
	var sum int64
	var first error
	for _, n := range nodes {
		c, err := n.Counters()
		if err != nil && first == nil {
			first = n.err(err)
		}
		sum += entries(c.Self)
		n.release()
	}
	return sum, first
}
