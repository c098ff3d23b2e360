package fusefs

import (
	"container/list"
	"context"
	"fmt"
	"sort"
	"sync"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// chunkList is the list of a file's chunks, shared by all who have the file open.
type chunkList struct {
	chunks      []catalog.Chunk
	compression object.Compression
	external    bool
	refs        int // guarded by FS.lists.mu
}

// openList returns the chunk list of a file.
func (fs *FS) openList(ctx context.Context, path string, ino uint64, e *catalog.Entry) (*chunkList, error) {
	fs.lists.mu.Lock()
	l := fs.lists.by[ino]
	if l != nil {
		l.refs++
	}
	fs.lists.mu.Unlock()
	if l != nil {
		return l, nil
	}
	chunks, err := fs.c.Tree.Chunks(ctx, path)
	if err != nil {
		return nil, err
	}
	fs.lists.mu.Lock()
	defer fs.lists.mu.Unlock()
	if l = fs.lists.by[ino]; l == nil { // nobody was faster
		l = &chunkList{chunks: chunks, compression: e.Compression, external: e.IsExternal()}
		fs.lists.by[ino] = l
	}
	l.refs++
	return l, nil
}

func (fs *FS) closeList(ino uint64, l *chunkList) {
	fs.lists.mu.Lock()
	defer fs.lists.mu.Unlock()
	if l.refs--; l.refs == 0 {
		delete(fs.lists.by, ino)
	}
}

// readChunks fills p with the file's bytes from off on.
func (fs *FS) readChunks(ctx context.Context, f *openFile, p []byte, off int64) error {
	chunks := f.list.chunks
	i := sort.Search(len(chunks), func(i int) bool { return chunks[i].Offset+chunks[i].Size > off })
	for ; len(p) > 0; i++ {
		if i == len(chunks) {
			return fmt.Errorf("%w: no chunk at %d", catalog.ErrDamaged, off)
		}
		c := chunks[i]
		n := int(min(int64(len(p)), c.Offset+c.Size-off))
		key := chunkKey{c.Hash, f.list.compression, c.Size}
		err := fs.chunks.use(key, func() (Content, error) {
			return fs.c.Objects.Open(ctx, Object{
				Hash: c.Hash, Suffix: object.Chunk, Compression: f.list.compression, Size: c.Size, Path: f.path, External: f.list.external,
			})
		}, func(file Content) error {
			if k, err := file.ReadAt(p[:n], off-c.Offset); k < n {
				return short(err)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("chunk %v at %d: %w", c.Hash, c.Offset, err)
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// chunkCache keeps the descriptors of the chunks that were read last.
type chunkCache struct {
	limit int
	mu    sync.Mutex
	by    map[chunkKey]*chunkFile
	order *list.List // of *chunkFile, the latest first
}

// chunkKey is all that decides about the content of a chunk. The hash alone does
// not: it covers the stored bytes, which another entry may call compressed
// otherwise.
type chunkKey struct {
	hash        object.Hash
	compression object.Compression
	size        int64
}

type chunkFile struct {
	key  chunkKey
	file Content
	refs int
	at   *list.Element // nil: no longer in the cache
}

func newChunkCache(limit int) *chunkCache {
	return &chunkCache{limit: limit, by: map[chunkKey]*chunkFile{}, order: list.New()}
}

// use calls do with the chunk k, which open gets when it is not there. The file
// stays open until do has returned.
func (c *chunkCache) use(k chunkKey, open func() (Content, error), do func(Content) error) error {
	e := c.get(k)
	if e == nil {
		file, err := open()
		if err != nil {
			return err
		}
		e = c.put(k, file)
	}
	defer c.release(e)
	return do(e.file)
}

func (c *chunkCache) get(k chunkKey) *chunkFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.by[k]
	if e != nil {
		e.refs++
		c.order.MoveToFront(e.at)
	}
	return e
}

// put adds a chunk, unless another caller was faster, and drops what has not been
// used for longest.
func (c *chunkCache) put(k chunkKey, file Content) *chunkFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.by[k]
	if e != nil {
		file.Close()
		c.order.MoveToFront(e.at)
	} else {
		e = &chunkFile{key: k, file: file}
		e.at = c.order.PushFront(e)
		c.by[k] = e
	}
	e.refs++
	for c.order.Len() > c.limit {
		c.drop(c.order.Back().Value.(*chunkFile))
	}
	return e
}

// drop takes a chunk out of the cache; whoever still reads it closes it.
func (c *chunkCache) drop(e *chunkFile) {
	c.order.Remove(e.at)
	delete(c.by, e.key)
	e.at = nil
	if e.refs == 0 {
		e.file.Close()
	}
}

func (c *chunkCache) release(e *chunkFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.refs--; e.refs == 0 && e.at == nil {
		e.file.Close()
	}
}

func (c *chunkCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.order.Len() > 0 {
		c.drop(c.order.Back().Value.(*chunkFile))
	}
}

func (c *chunkCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}
