package fusefs

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// Tree is the repository's paths: a [catalog.Tree].
type Tree interface {
	Lookup(ctx context.Context, path string) (catalog.Entry, error)
	List(ctx context.Context, dir string, fn func(catalog.Entry) error) error
	Chunks(ctx context.Context, path string) ([]catalog.Chunk, error)
	Xattrs(ctx context.Context, path string) ([]catalog.Xattr, error)
	Info(ctx context.Context, path string) (catalog.Info, error)
}

// Objects gets the content of files.
type Objects interface {
	// Open returns the object's content, verified and Size bytes long. The caller
	// closes it.
	Open(ctx context.Context, o Object) (Content, error)
}

// Content is the content of an object. It may be read by several goroutines.
type Content interface {
	io.ReaderAt
	io.Closer
}

// Object names the content of a file or of a piece of one.
type Object struct {
	Hash        object.Hash
	Suffix      object.Suffix // [object.File] or [object.Chunk]
	Compression object.Compression
	Size        int64  // bytes of content
	Path        string // of the file, for messages
	External    bool   // lies on the external servers under its path
}

// IDs replaces user or group ids.
type IDs interface{ Map(id uint32) uint32 }

// Config is what a file system is made of. Tree and Objects are needed; the zero
// value of all else is safe.
type Config struct {
	Tree    Tree
	Objects Objects

	Timeout time.Duration // how long the kernel may believe attributes and names

	Owner         *Owner // everything belongs to it; nil: to whom the catalog says
	UIDs, GIDs    IDs    // nil: as in the catalog
	WorldReadable bool   // everybody may read everything

	// Env has the variables of link targets; nil leaves targets as they are
	// written.
	Env func(name string) (string, bool)

	// Xattrs says for which paths the attributes of the client's own are listed.
	Xattrs Visibility
	// Facts are attributes of the client's own that only others can tell, by name
	// without "user.": fqrn, version, host, proxy and so on.
	Facts map[string]func() string

	Usage    func() Usage                              // of the cache; nil: unknown
	Attached func() int                                // catalogs in use; nil: unknown
	Entries  func(context.Context) (all, loaded int64) // of the repository, in loaded catalogs; nil: unknown

	MaxOpen int                              // open files and directories; 0 is no limit
	Log     func(format string, args ...any) // one line for each failure; nil: silent
}

// Owner is a user and a group.
type Owner struct{ UID, GID uint32 }

// Visibility says where listxattr shows the attributes of the client's own.
type Visibility int

// The visibilities.
const (
	RootOnly Visibility = iota // on the top directory
	Never
	Always
)

// Usage is the fill of a cache in bytes. Capacity 0 says that there is no limit.
type Usage struct{ Capacity, Used int64 }

// FS is the file system: a [fuse.RawFileSystem]. What it does not implement is
// ENOSYS, upon which the kernel does not ask again.
type FS struct {
	fuse.RawFileSystem
	c      Config
	nodes  *nodes
	files  handles[*openFile]
	dirs   handles[*openDir]
	places atomic.Int64 // taken by what is open or being opened
	chunks *chunkCache
	magic  []magic
	start  time.Time
	log    limiter

	lists struct {
		mu sync.Mutex
		by map[uint64]*chunkList // of open chunked files, by inode number
	}
	stats struct{ opens, openDirs, ioErrors, lastIOError atomic.Int64 }
}

// maxChunks is how many descriptors of chunks are kept open when nobody reads them,
// and at most an eighth of what may be open.
const maxChunks = 32

// New returns the file system. It fails when the top directory cannot be read.
func New(ctx context.Context, c Config) (*FS, error) {
	root, err := c.Tree.Lookup(ctx, "")
	if err != nil {
		return nil, err
	}
	chunks := maxChunks
	if c.MaxOpen > 0 {
		chunks = min(chunks, max(c.MaxOpen/8, 1))
	}
	fs := &FS{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		c:             c,
		nodes:         newNodes(root.Inode),
		chunks:        newChunkCache(chunks),
		start:         time.Now(),
	}
	fs.lists.by = map[uint64]*chunkList{}
	fs.magic = fs.magicTable()
	return fs, nil
}

// String names the file system in debug output.
func (fs *FS) String() string { return "cvmfs2" }

// OnUnmount implements [fuse.RawFileSystem]: the kernel will ask no more.
func (fs *FS) OnUnmount() { fs.chunks.close() }

// Known returns how many inodes the kernel knows.
func (fs *FS) Known() int { return fs.nodes.len() }
