package testrepo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Repo describes the content of one revision of a repository and how it is
// published. Change it after publishing to publish the next revision: what was
// published keeps its own copy. It is for one goroutine at a time.
//
// The methods that add entries panic when the description is impossible (a file
// used as a directory, a path taken twice): that is a mistake in a test.
type Repo struct {
	FQRN     string
	Hash     Algorithm     // zero: SHA-1
	Stored   bool          // files and chunks are stored as they are instead of as zlib streams
	TTL      time.Duration // of the root catalog; zero: 240 s
	Revision uint64        // zero: 1
	Time     time.Time     // publication time, and modification time of entries that give none; zero: 2026-01-01
	Expires  time.Time     // of the whitelist; zero: July 2040
	Previous *Published    // the revision before this one, if any
	Keys     *Keys         // nil: SeededKeys(1)
	AltPath  bool          // manifest A: catalog and certificate under .cvmfsalt- names
	Tags     []Tag         // named snapshots; nil: no history database
	Metainfo string        // JSON, fetched by the client for one attribute; "": none

	// ChunkSize cuts files that are larger into pieces of that size, in bytes; 0
	// cuts only those that say so by Chunked.
	ChunkSize int64
	// ExternalDir receives the content of External files under their path names.
	ExternalDir string

	root *inode
}

// inode is what a path leads to; hard links are one inode under several names.
type inode struct {
	mode     uint32 // st_mode
	uid, gid uint32
	mtime    time.Time // zero: the repository's
	target   string    // of a symlink
	rdev     uint64
	src      Source // of a regular file
	chunk    int64  // 0: the repository's
	xattrs   map[string]string
	links    int // names that lead here
	children map[string]*inode
	bind     *Published // of a bind mountpoint

	nested, hidden, external, stored, direct bool

	objects []Object // set by Publish
}

// Bits of st_mode.
const (
	typeMask    = 0o170000
	typeFifo    = 0o010000
	typeChar    = 0o020000
	typeDir     = 0o040000
	typeBlock   = 0o060000
	typeRegular = 0o100000
	typeSymlink = 0o120000
	typeSocket  = 0o140000
)

func (n *inode) is(typ uint32) bool { return n.mode&typeMask == typ }

// New returns an empty repository. Its fields may be set until it is published.
func New(fqrn string) *Repo {
	return &Repo{FQRN: fqrn, root: newInode(typeDir|0o755, nil)}
}

func newInode(mode uint32, opts []Option) *inode {
	n := &inode{mode: mode, links: 1}
	if n.is(typeDir) {
		n.children = map[string]*inode{}
	}
	for _, o := range opts {
		o(n)
	}
	return n
}

// File adds a regular file, mode 0644 unless [Mode] says otherwise.
func (r *Repo) File(path, content string, opts ...Option) {
	n := newInode(typeRegular|0o644, nil)
	n.src = text(content)
	for _, o := range opts {
		o(n)
	}
	r.add(path, n)
}

// Dir adds a directory, mode 0755 unless [Mode] says otherwise; of one that is
// there (the root is "") it sets the options.
func (r *Repo) Dir(path string, opts ...Option) {
	n := r.dir(clean(path))
	for _, o := range opts {
		o(n)
	}
}

// Symlink adds a symbolic link. The target may hold variables: $(NAME) and
// $(NAME:-default).
func (r *Repo) Symlink(path, target string, opts ...Option) {
	n := newInode(typeSymlink|0o777, opts)
	n.target = target
	r.add(path, n)
}

// Hardlink gives the existing file at old one more name. Both must lie in the same
// catalog.
func (r *Repo) Hardlink(path, old string) {
	n := r.lookup(clean(old))
	if n == nil || n.is(typeDir) {
		panic(fmt.Sprintf("testrepo: hard link to %q, which is no file", old))
	}
	r.add(path, n)
	n.links++
}

// Fifo adds a named pipe.
func (r *Repo) Fifo(path string, opts ...Option) { r.add(path, newInode(typeFifo|0o644, opts)) }

// Socket adds a socket.
func (r *Repo) Socket(path string, opts ...Option) { r.add(path, newInode(typeSocket|0o755, opts)) }

// Device adds a character or block device with the number rdev.
func (r *Repo) Device(path string, block bool, rdev uint64, opts ...Option) {
	typ := uint32(typeChar)
	if block {
		typ = typeBlock
	}
	n := newInode(typ|0o644, opts)
	n.rdev = rdev
	r.add(path, n)
}

// Nested puts the directory at path, made if absent, and what lies below it into a
// catalog of its own.
func (r *Repo) Nested(path string) {
	if clean(path) == "" {
		panic("testrepo: the root cannot be a nested catalog")
	}
	r.dir(clean(path)).nested = true
}

// Bind shows the whole tree of another publication at path, as the snapshots below
// .cvmfs are shown. Both must be published into the same directory.
func (r *Repo) Bind(path string, old *Published) {
	n := newInode(old.root.mode, nil)
	n.uid, n.gid, n.mtime, n.bind = old.root.uid, old.root.gid, old.root.mtime, old
	r.add(path, n)
}

// Remove removes the entry at path with everything below it.
func (r *Repo) Remove(path string) {
	p := clean(path)
	i := strings.LastIndexByte(p, '/')
	parent := r.lookup(p[:max(i, 0)])
	if parent == nil || parent.children[p[i+1:]] == nil {
		panic(fmt.Sprintf("testrepo: remove %q: no such entry", path))
	}
	parent.children[p[i+1:]].unlink()
	delete(parent.children, p[i+1:])
}

func (n *inode) unlink() {
	n.links--
	for _, c := range n.children {
		c.unlink()
	}
}

// Count returns the number of paths, the root among them.
func (r *Repo) Count() int { return r.root.count() }

func (n *inode) count() int {
	sum := 1
	for _, c := range n.children {
		sum += c.count()
	}
	return sum
}

// clean returns path without slashes at its ends.
func clean(path string) string { return strings.Trim(path, "/") }

func (r *Repo) lookup(path string) *inode {
	n := r.root
	if path == "" {
		return n
	}
	for name := range strings.SplitSeq(path, "/") {
		if n = n.children[name]; n == nil {
			return nil
		}
	}
	return n
}

// dir returns the directory at path, made with its parents where absent.
func (r *Repo) dir(path string) *inode {
	n := r.root
	if path == "" {
		return n
	}
	for name := range strings.SplitSeq(path, "/") {
		c := n.children[name]
		if c == nil {
			c = newInode(typeDir|0o755, nil)
			n.children[name] = c
		}
		if !c.is(typeDir) || c.bind != nil {
			panic(fmt.Sprintf("testrepo: %q is no directory", path))
		}
		n = c
	}
	return n
}

func (r *Repo) add(path string, n *inode) {
	p := clean(path)
	i := strings.LastIndexByte(p, '/')
	dir, name := r.dir(p[:max(i, 0)]), p[i+1:]
	if name == "" || dir.children[name] != nil {
		panic(fmt.Sprintf("testrepo: %q is there already", path))
	}
	dir.children[name] = n
}

// clone copies a tree; seen keeps hard links together.
func (n *inode) clone(seen map[*inode]*inode) *inode {
	if c := seen[n]; c != nil {
		return c
	}
	c := *n
	c.objects = nil
	if n.links > 1 {
		seen[n] = &c
	}
	if n.children != nil {
		c.children = make(map[string]*inode, len(n.children))
		for name, child := range n.children {
			c.children[name] = child.clone(seen)
		}
	}
	return &c
}

// names returns the names of a directory's entries in the order they are published.
func (n *inode) names() []string { return slices.Sorted(maps.Keys(n.children)) }
