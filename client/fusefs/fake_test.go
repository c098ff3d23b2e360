package fusefs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// fakeTree is a Tree in memory.
type fakeTree struct {
	entries map[string]catalog.Entry
	names   map[string][]string
	chunks  map[string][]catalog.Chunk
	xattrs  map[string][]catalog.Xattr
	fail    map[string]error
}

func (t *fakeTree) Lookup(_ context.Context, path string) (catalog.Entry, error) {
	if err := t.fail[path]; err != nil {
		return catalog.Entry{}, err
	}
	e, ok := t.entries[path]
	if !ok {
		return e, catalog.ErrNotFound
	}
	return e, nil
}

func (t *fakeTree) List(_ context.Context, dir string, fn func(catalog.Entry) error) error {
	if err := t.fail[dir+"/"]; err != nil {
		return err
	}
	for _, n := range t.names[dir] {
		if err := fn(t.entries[dir+"/"+n]); err != nil {
			return err
		}
	}
	return nil
}

func (t *fakeTree) Chunks(_ context.Context, path string) ([]catalog.Chunk, error) {
	return t.chunks[path], nil
}

func (t *fakeTree) Xattrs(_ context.Context, path string) ([]catalog.Xattr, error) {
	return t.xattrs[path], nil
}

func (t *fakeTree) Info(context.Context, string) (catalog.Info, error) {
	return catalog.Info{Counters: catalog.Counters{Self: map[string]int64{"regular": 3}}}, nil
}

// fakeObjects is Objects in a directory, by path for files and by hash for chunks.
type fakeObjects struct {
	dir   string
	mu    sync.Mutex
	data  map[object.Hash][]byte
	opens int
	live  atomic.Int64 // files that are open
	wait  func(ctx context.Context) error
}

func (o *fakeObjects) Open(ctx context.Context, obj Object) (Content, error) {
	o.mu.Lock()
	o.opens++
	data, ok := o.data[obj.Hash]
	wait := o.wait
	o.mu.Unlock()
	if wait != nil {
		if err := wait(ctx); err != nil {
			return nil, err
		}
	}
	if !ok {
		return nil, errors.New("no such object")
	}
	name := filepath.Join(o.dir, obj.Hash.String())
	if err := os.WriteFile(name, data, 0o600); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	o.live.Add(1)
	return &counted{f, o}, nil
}

// counted is a file that says when it is closed.
type counted struct {
	*os.File
	o *fakeObjects
}

func (c *counted) Close() error {
	c.o.live.Add(-1)
	return c.File.Close()
}

func (o *fakeObjects) add(data []byte) object.Hash {
	h := object.SHA1.Sum(data)
	o.data[h] = data
	return h
}

// rig is a file system of fakes.
type rig struct {
	t    *testing.T
	fs   *FS
	tree *fakeTree
	objs *fakeObjects
	logs []string
	ino  uint64
	none chan struct{}
}

func newRig(t *testing.T, build func(r *rig, c *Config)) *rig {
	t.Helper()
	r := &rig{t: t, ino: 256, none: make(chan struct{})}
	r.tree = &fakeTree{entries: map[string]catalog.Entry{}, names: map[string][]string{}, chunks: map[string][]catalog.Chunk{},
		xattrs: map[string][]catalog.Xattr{}, fail: map[string]error{}}
	r.objs = &fakeObjects{dir: t.TempDir(), data: map[object.Hash][]byte{}}
	r.tree.entries[""] = catalog.Entry{Inode: 256, Mode: uint32(catalog.Directory) | 0o755, Nlink: 2}
	c := Config{Tree: r.tree, Objects: r.objs, Timeout: time.Minute, Log: func(f string, a ...any) { r.logs = append(r.logs, fmt.Sprintf(f, a...)) }}
	if build != nil {
		build(r, &c)
	}
	fs, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r.fs = fs
	return r
}

// add puts an entry into the tree; number, link count and name are filled in.
func (r *rig) add(path string, e catalog.Entry) {
	i := strings.LastIndexByte(path, '/')
	e.Name = path[i+1:]
	if e.Inode == 0 {
		r.ino++
		e.Inode = r.ino
	}
	if e.Nlink == 0 {
		e.Nlink = 1
	}
	r.tree.entries[path] = e
	r.tree.names[path[:i]] = append(r.tree.names[path[:i]], e.Name)
}

func (r *rig) dir(path string) { r.add(path, catalog.Entry{Mode: uint32(catalog.Directory) | 0o755}) }

func (r *rig) file(path, content string) {
	h := r.objs.add([]byte(content))
	r.add(path, catalog.Entry{Mode: uint32(catalog.Regular) | 0o644, Size: int64(len(content)), Hash: h})
}

// chunked adds a file of pieces of the given sizes and returns its content.
func (r *rig) chunked(path string, sizes ...int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []byte
	for _, n := range sizes {
		piece := make([]byte, n)
		for i := range piece {
			piece[i] = byte(rnd.Uint32())
		}
		r.tree.chunks[path] = append(r.tree.chunks[path], catalog.Chunk{Offset: int64(len(all)), Size: int64(n), Hash: r.objs.add(piece)})
		all = append(all, piece...)
	}
	r.add(path, catalog.Entry{Mode: uint32(catalog.Regular) | 0o644, Size: int64(len(all)), Flags: catalog.FlagRegular | catalog.FlagChunked})
	return all
}

func (r *rig) header(node uint64) fuse.InHeader { return fuse.InHeader{NodeId: node} }

// walk looks up each component and returns the last node.
func (r *rig) walk(path string) fuse.EntryOut {
	r.t.Helper()
	out := fuse.EntryOut{NodeId: 1}
	if path == "" {
		return out
	}
	for _, name := range strings.Split(path[1:], "/") {
		h := r.header(out.NodeId)
		if s := r.fs.Lookup(r.none, &h, name, &out); s != fuse.OK || out.NodeId == 0 {
			r.t.Fatalf("lookup of %q in %q: %v, node %d", name, path, s, out.NodeId)
		}
	}
	return out
}

func (r *rig) open(path string) (fh uint64, s fuse.Status) {
	r.t.Helper()
	n := r.walk(path)
	var out fuse.OpenOut
	s = r.fs.Open(r.none, &fuse.OpenIn{InHeader: r.header(n.NodeId)}, &out)
	return out.Fh, s
}

func (r *rig) read(fh uint64, off, n int) (string, fuse.Status) {
	buf := make([]byte, n)
	res, s := r.fs.Read(r.none, &fuse.ReadIn{Fh: fh, Offset: uint64(off), Size: uint32(n)}, buf)
	if s != fuse.OK {
		return "", s
	}
	defer res.Done()
	b, s := res.Bytes(buf)
	return string(b), s
}
