package fusefs

import (
	"hash/maphash"
	"strings"
	"sync"
	"unsafe"
)

// nodeID is what the kernel calls a node id: the handle by which it names an inode
// it knows. It is an index into nodes and not the number that stat(2) shows.
type nodeID = uint32

// rootID is the node id of the top directory (Linux, FUSE_ROOT_ID); 0 is nobody's.
const rootID nodeID = 1

// nodes is the table of the inodes that the kernel knows: which path each has, and
// how often the kernel has been told of it. A node enters with a lookup and leaves
// when the kernel has forgotten every lookup of it.
//
// A node names its parent and its last path component, so a path is put together
// by walking up. A parent stays as long as a child is there, even when the kernel
// has forgotten it (the other name of a hard link may live in another directory).
// The hash table from (parent, name) to node is threaded through the nodes.
// A node takes 56 bytes, its name, and 4 to 8 bytes of hash table.
type nodes struct {
	mu      sync.Mutex
	all     []node   // by node id
	free    nodeID   // first unused element, linked by next; 0: none
	count   int      // elements in use
	buckets []nodeID // first node of each chain; a power of two long
	links   map[uint64]nodeID
	seed    maphash.Seed
	maxIno  uint64
}

type node struct {
	name    string
	parent  nodeID
	next    nodeID // in the chain of its bucket, or of unused nodes
	ino     uint64 // what stat(2) shows
	lookups uint64 // references of the kernel
	refs    uint32 // references by children
	gen     uint32 // grows when the element is used again
	linked  bool   // is in links
}

func newNodes(rootIno uint64) *nodes {
	t := &nodes{
		all:     make([]node, 2, 64),
		count:   1,
		buckets: make([]nodeID, 64),
		links:   map[uint64]nodeID{},
		seed:    maphash.MakeSeed(),
		maxIno:  rootIno,
	}
	t.all[rootID] = node{ino: rootIno, lookups: 1}
	return t
}

func (t *nodes) bucket(parent nodeID, name string) *nodeID {
	h := maphash.String(t.seed, name) + uint64(parent)*0x9e3779b97f4a7c15
	h ^= h >> 32
	return &t.buckets[h&uint64(len(t.buckets)-1)]
}

// path returns the path of a node, "" for the top directory and "/a/b" below. ok is
// false when there is no such node.
func (t *nodes) path(id uint64) (path string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pathLocked(id)
}

func (t *nodes) pathLocked(id uint64) (string, bool) {
	if !t.known(id) {
		return "", false
	}
	size := 0
	for i := nodeID(id); i != rootID; i = t.all[i].parent {
		size += 1 + len(t.all[i].name)
	}
	buf := make([]byte, size)
	for i := nodeID(id); i != rootID; i = t.all[i].parent {
		n := &t.all[i]
		size -= len(n.name)
		copy(buf[size:], n.name)
		size--
		buf[size] = '/'
	}
	return unsafe.String(unsafe.SliceData(buf), len(buf)), true
}

// known reports whether id names a node in use.
func (t *nodes) known(id uint64) bool {
	if id == uint64(rootID) {
		return true
	}
	return id > 0 && id < uint64(len(t.all)) && t.all[id].parent != 0
}

// describe returns the path of a node and the inode number that it shows.
func (t *nodes) describe(id uint64) (path string, ino uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if path, ok = t.pathLocked(id); ok {
		ino = t.all[id].ino
	}
	return path, ino, ok
}

// parentIno returns the inode number of a node's directory, its own for the top.
func (t *nodes) parentIno(id uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known(id) {
		return 0
	}
	if id == uint64(rootID) {
		return t.all[rootID].ino
	}
	return t.all[t.all[id].parent].ino
}

// ref is a node as it is told to the kernel.
type ref struct {
	id  nodeID
	gen uint32
	ino uint64
}

// look counts one more lookup of the entry name in the directory parent and
// returns its node, which is made when the kernel does not know it yet. ino is the
// entry's inode number; shared says that other names may have the same one (hard
// links), which then are one node. ok is false when the parent is unknown.
func (t *nodes) look(parent uint64, name string, ino uint64, shared bool) (ref, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known(parent) {
		return ref{}, false
	}
	p := nodeID(parent)
	for i := *t.bucket(p, name); i != 0; i = t.all[i].next {
		if n := &t.all[i]; n.parent == p && n.name == name {
			n.lookups++
			return ref{i, n.gen, n.ino}, true
		}
	}
	if shared {
		if i, ok := t.links[ino]; ok {
			n := &t.all[i]
			n.lookups++
			return ref{i, n.gen, n.ino}, true
		}
	}
	i := t.add(p, strings.Clone(name), ino)
	if shared {
		t.all[i].linked = true
		t.links[ino] = i
	}
	return ref{i, t.all[i].gen, ino}, true
}

func (t *nodes) add(parent nodeID, name string, ino uint64) nodeID {
	if t.count >= len(t.buckets) {
		t.grow()
	}
	i := t.free
	if i != 0 {
		t.free = t.all[i].next
	} else {
		i = nodeID(len(t.all))
		t.all = append(t.all, node{})
	}
	b := t.bucket(parent, name)
	t.all[i] = node{name: name, parent: parent, next: *b, ino: ino, lookups: 1, gen: t.all[i].gen}
	*b = i
	t.all[parent].refs++
	t.count++
	t.maxIno = max(t.maxIno, ino)
	return i
}

func (t *nodes) grow() {
	t.buckets = make([]nodeID, 2*len(t.buckets))
	for i := range t.all {
		if n := &t.all[i]; n.parent != 0 {
			b := t.bucket(n.parent, n.name)
			n.next, *b = *b, nodeID(i)
		}
	}
}

// forget takes back n lookups of a node and removes it, and the parents that only
// it kept, when none are left.
func (t *nodes) forget(id, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known(id) || id == uint64(rootID) {
		return
	}
	i := nodeID(id)
	t.all[i].lookups -= min(n, t.all[i].lookups)
	for i != rootID && t.all[i].lookups == 0 && t.all[i].refs == 0 {
		parent := t.all[i].parent
		t.remove(i)
		t.all[parent].refs--
		i = parent
	}
}

func (t *nodes) remove(i nodeID) {
	n := &t.all[i]
	p := t.bucket(n.parent, n.name)
	for *p != i {
		p = &t.all[*p].next
	}
	*p = n.next
	if n.linked {
		delete(t.links, n.ino)
	}
	*n = node{next: t.free, gen: n.gen + 1}
	t.free = i
	t.count--
}

// len returns how many inodes the kernel knows, inoMax the largest number shown.
func (t *nodes) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

func (t *nodes) inoMax() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.maxIno
}
