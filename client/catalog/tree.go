package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog/sqlite"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// defaultCache is the page cache of a tree, in bytes.
const defaultCache = 8 << 20

var errClosed = errors.New("the catalogs are closed")

// A Loader finds catalogs. The file it returns holds the uncompressed catalog, which
// it has verified to be the one of that hash. The mountpoint is for messages.
type Loader interface {
	LoadCatalog(ctx context.Context, h object.Hash, mountpoint string) (File, error)
}

// A Tree is one revision of a repository: the paths of a root catalog and all catalogs
// below it, which are loaded when they are needed. Any number of goroutines may use it
// at once.
type Tree struct {
	loader    Loader
	root      object.Hash
	cache     *sqlite.Cache
	inodes    *Inodes
	watermark int

	mu      sync.RWMutex
	nodes   map[string]*node // the attached catalogs by mountpoint
	loading map[string]*load
	closed  bool
}

// node is an attached catalog. The tree and everyone who works with it hold a
// reference; the last to let go closes the file.
type node struct {
	*Catalog
	file File
	up   *lineage
	refs atomic.Int64
}

// lineage is the chain of hashes from a catalog up to the root catalog.
type lineage struct {
	hash   object.Hash
	parent *lineage
}

func (n *node) release() {
	if n.refs.Add(-1) == 0 {
		n.file.Close()
	}
}

// An Option changes a default of [NewTree].
type Option func(*Tree)

// WithWatermark lets at most about n catalogs be attached (CVMFS_CATALOG_WATERMARK):
// when one more is to be attached, all that are not above it are detached first. 0
// means no limit, which is the default.
func WithWatermark(n int) Option { return func(t *Tree) { t.watermark = n } }

// WithInodes shares the inode numbers of another tree, see [Inodes].
func WithInodes(n *Inodes) Option { return func(t *Tree) { t.inodes = n } }

// WithCache sets the size of the page cache in bytes; the default is 8 MB.
func WithCache(bytes int64) Option { return func(t *Tree) { t.cache = sqlite.NewCache(bytes) } }

// NewTree loads the root catalog. The caller closes the tree.
func NewTree(ctx context.Context, loader Loader, root object.Hash, options ...Option) (*Tree, error) {
	t := &Tree{loader: loader, root: root, nodes: map[string]*node{}, loading: map[string]*load{}}
	for _, o := range options {
		o(t)
	}
	if t.cache == nil {
		t.cache = sqlite.NewCache(defaultCache)
	}
	if t.inodes == nil {
		t.inodes = NewInodes()
	}
	n, err := t.attach(ctx, nil, "", root)
	if err != nil {
		return nil, err
	}
	n.release()
	return t, nil
}

// Close detaches all catalogs. What is going on comes to its end first.
func (t *Tree) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for mp, n := range t.nodes {
		delete(t.nodes, mp)
		n.release()
	}
	return nil
}

// RootHash returns the hash of the root catalog.
func (t *Tree) RootHash() object.Hash { return t.root }

// Inodes returns the tree's inode numbers.
func (t *Tree) Inodes() *Inodes { return t.inodes }

// Attached returns the number of attached catalogs, the root catalog included.
func (t *Tree) Attached() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.nodes)
}

// deepest returns the attached catalog with the longest mountpoint that is path or
// lies above it. The caller releases it.
func (t *Tree) deepest(path string) (*node, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for p := path; ; {
		if n := t.nodes[p]; n != nil {
			n.refs.Add(1)
			return n, nil
		}
		if p == "" {
			return nil, errClosed
		}
		p = parent(p)
	}
}

// parent returns the directory of a path, "" for the root and for what is no path.
func parent(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

// resolve returns the entry of a path and the catalog that has its row, which for the
// mountpoint of a nested catalog is the parent. The caller releases the catalog.
func (t *Tree) resolve(ctx context.Context, path string) (*node, Entry, error) {
	if path != "" && path[0] != '/' {
		return nil, Entry{}, ErrNotFound
	}
	n, err := t.deepest(parent(path))
	if err != nil {
		return nil, Entry{}, err
	}
	for {
		e, ok, err := n.lookup(path)
		if ok {
			return n, e, nil
		}
		var mp string
		var h object.Hash
		if err == nil {
			mp, h, err = n.linkAbove(path)
		}
		if err != nil {
			defer n.release()
			return nil, Entry{}, n.err(err)
		}
		if mp == "" {
			n.release()
			return nil, Entry{}, ErrNotFound
		}
		child, err := t.attach(ctx, n, mp, h)
		n.release()
		if err != nil {
			return nil, Entry{}, err
		}
		n = child
	}
}

// err says which catalog an error is about.
func (n *node) err(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("catalog %s at %q: %w", n.hash, n.mountpoint, err)
}
