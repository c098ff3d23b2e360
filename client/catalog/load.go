package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// A LoadError says that a catalog could not be loaded, so that nothing is known about
// what it describes.
type LoadError struct {
	Hash       object.Hash
	Mountpoint string
	Err        error
}

func (e *LoadError) Error() string {
	return fmt.Sprintf("load catalog %s at %q: %v", e.Hash, e.Mountpoint, e.Err)
}

// Unwrap returns the cause.
func (e *LoadError) Unwrap() error { return e.Err }

// load is the loading of a catalog, on which any number of callers wait.
type load struct {
	done chan struct{}
	// When done:
	err    error
	gaveUp bool // the caller who loaded did not want it any more
}

// attach returns the catalog at a mountpoint, which it loads if it is not attached.
// Callers at the same time share one load. The caller releases the catalog.
func (t *Tree) attach(ctx context.Context, up *node, mountpoint string, h object.Hash) (*node, error) {
	for {
		t.mu.Lock()
		if n := t.nodes[mountpoint]; n != nil {
			n.refs.Add(1)
			t.mu.Unlock()
			return n, nil
		}
		l := t.loading[mountpoint]
		if l == nil {
			l = &load{done: make(chan struct{})}
			t.loading[mountpoint] = l
			t.mu.Unlock()
			return t.lead(ctx, l, up, mountpoint, h)
		}
		t.mu.Unlock()
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, &LoadError{h, mountpoint, ctx.Err()}
		}
		if l.err != nil && !l.gaveUp {
			return nil, l.err
		}
	}
}

// lead loads a catalog for all who wait for l.
func (t *Tree) lead(ctx context.Context, l *load, up *node, mountpoint string, h object.Hash) (*node, error) {
	n, err := t.load(ctx, up, mountpoint, h)
	if err != nil {
		err = &LoadError{h, mountpoint, err}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && t.closed {
		n.file.Close()
		err = &LoadError{h, mountpoint, errClosed}
	}
	l.err, l.gaveUp = err, ctx.Err() != nil
	delete(t.loading, mountpoint)
	close(l.done)
	if err != nil {
		return nil, err
	}
	if t.watermark > 0 && len(t.nodes) >= t.watermark {
		t.detach(mountpoint)
	}
	t.nodes[mountpoint] = n
	n.refs.Store(2) // the tree's and the caller's
	return n, nil
}

// detach lets go of all catalogs that do not lie above a mountpoint.
func (t *Tree) detach(mountpoint string) {
	for mp, n := range t.nodes {
		if mp != "" && !strings.HasPrefix(mountpoint, mp+"/") {
			delete(t.nodes, mp)
			n.release()
		}
	}
}

// load loads and opens a catalog. No catalog can lie below itself: hashes do not allow
// it, so such a repository is not what it pretends to be.
func (t *Tree) load(ctx context.Context, up *node, mountpoint string, h object.Hash) (*node, error) {
	n := &node{up: &lineage{hash: h}}
	if up != nil {
		n.up.parent = up.up
	}
	for l := n.up.parent; l != nil; l = l.parent {
		if l.hash == h {
			return nil, fmt.Errorf("%w: the catalog lies below itself", ErrDamaged)
		}
	}
	if h.IsNull() {
		return nil, fmt.Errorf("%w: the catalog has no hash", ErrDamaged)
	}
	var err error
	if n.file, err = t.loader.LoadCatalog(ctx, h, mountpoint); err != nil {
		return nil, err
	}
	if n.Catalog, err = Open(n.file, h, mountpoint, t.cache, t.inodes); err == nil {
		err = n.checkRoot()
	}
	if err != nil {
		n.file.Close()
		return nil, err
	}
	return n, nil
}

// checkRoot checks that the catalog describes the directory it is attached to.
func (c *Catalog) checkRoot() error {
	e, ok, err := c.lookup(c.mountpoint)
	if err == nil && !(ok && e.IsDir()) {
		err = fmt.Errorf("%w: no root directory", ErrDamaged)
	}
	return err
}
