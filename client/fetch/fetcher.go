package fetch

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/cvmfsbundle/cvmfsbundle/client/cache"
	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/stratum"
	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
)

// defaultMemory is the most bytes of objects kept in memory when the cache cannot
// take them.
const defaultMemory = 256 << 20

// Options of [New].
type Options struct {
	Stratum  *stratum.Client
	Cache    *cache.Cache
	Verifier *trust.Verifier // its Name is the repository's
	// AltRoot is the root catalog that has an alternative name although no
	// manifest says so; null: none.
	AltRoot object.Hash
	// MemoryBytes is the most bytes of objects kept in memory when the cache
	// cannot take them, 0 for 256 MiB.
	MemoryBytes int64
	Log         *slog.Logger // nil: silent
}

// Fetcher gets objects and manifests of one repository. Any number of goroutines
// may use it.
type Fetcher struct {
	stratum  *stratum.Client
	cache    *cache.Cache
	verifier *trust.Verifier
	log      *slog.Logger
	spill    spill

	mu      sync.Mutex // guards what follows
	altRoot object.Hash
	flights map[flightKey]*flight
	running sync.WaitGroup // of flights
}

var _ catalog.Loader = (*Fetcher)(nil)

// New returns a fetcher. It touches neither network nor disk.
func New(o Options) *Fetcher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MemoryBytes <= 0 {
		o.MemoryBytes = defaultMemory
	}
	f := &Fetcher{
		stratum: o.Stratum, cache: o.Cache, verifier: o.Verifier, log: o.Log, altRoot: o.AltRoot,
		flights: make(map[flightKey]*flight),
	}
	f.spill.free = o.MemoryBytes
	return f
}

// Close waits for downloads that nobody waits for any more. Every context given to
// the fetcher must have ended, or every call returned.
func (f *Fetcher) Close() { f.running.Wait() }

// want is an object that somebody wants.
type want struct {
	hash        object.Hash
	suffix      object.Suffix
	compression object.Compression
	size        int64 // of the content; negative if unknown
	limit       int64 // most bytes of content when the size is unknown, 0 for the default
	alt         bool  // it has its alternative name
	verify      bool  // a cached copy is verified by its digest
	label       string
}

func (w want) path() string {
	if w.alt {
		return w.hash.AltPath(w.suffix)
	}
	return w.hash.Path(w.suffix)
}

func (w want) spec() object.Spec {
	s := object.Spec{Hash: w.hash, Compression: w.compression, Limit: w.limit}
	if w.size >= 0 {
		s.Limit = max(w.size, 1)
	}
	return s
}

// Object returns the content of an object: a file or chunk of a file. size is the
// bytes its content must have, negative if that is not known; label says what it
// is, for logs and servers. The caller closes the file. Errors match
// [stratum.ErrUnreachable], [stratum.ErrNotFound] or [stratum.ErrCorrupt] if the
// servers are to blame.
func (f *Fetcher) Object(ctx context.Context, h object.Hash, s object.Suffix, c object.Compression, size int64, label string) (*File, error) {
	return f.get(ctx, want{hash: h, suffix: s, compression: c, size: size, label: label})
}

// LoadCatalog returns the content of a catalog. The caller closes the file. It
// implements [catalog.Loader].
func (f *Fetcher) LoadCatalog(ctx context.Context, h object.Hash, mountpoint string) (catalog.File, error) {
	w := want{hash: h, suffix: object.Catalog, size: -1, verify: true, label: "file catalog at " + f.verifier.Name + ":" + mountpoint}
	f.mu.Lock()
	w.alt = h == f.altRoot && !h.IsNull()
	f.mu.Unlock()
	file, err := f.get(ctx, w)
	if err != nil {
		return nil, err // a nil *File would be a File that is not nil
	}
	return file, nil
}

// small returns the content of an object that is kept in memory.
func (f *Fetcher) small(ctx context.Context, w want) ([]byte, error) {
	w.size, w.limit, w.verify = -1, trust.MaxSize, true
	file, err := f.get(ctx, w)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if file.Size() > trust.MaxSize {
		return nil, fmt.Errorf("%s has %d bytes", w.label, file.Size())
	}
	return io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
}

// Metainfo returns the repository's description, JSON, whose hash the manifest has.
func (f *Fetcher) Metainfo(ctx context.Context, h object.Hash) ([]byte, error) {
	return f.small(ctx, want{hash: h, suffix: object.Metainfo, label: "metainfo of " + f.verifier.Name})
}

// History returns the content of the tag database, SQLite. The caller closes the
// file.
func (f *Fetcher) History(ctx context.Context, h object.Hash) (*File, error) {
	return f.get(ctx, want{hash: h, suffix: object.History, size: -1, verify: true, label: "tag database of " + f.verifier.Name})
}

// get returns the object from the cache or through a download.
func (f *Fetcher) get(ctx context.Context, w want) (*File, error) {
	if w.hash.IsNull() || w.hash.Algorithm() == object.MD5 {
		return nil, fmt.Errorf("%s: %w: %v names no object", w.label, object.ErrHash, w.hash)
	}
	if c, err := f.cached(w); err == nil {
		return &File{c: c}, nil
	}
	file, err := f.join(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.label, err)
	}
	return file, nil
}

// cached returns what the cache has. A cache that fails is one that has nothing.
func (f *Fetcher) cached(w want) (*content, error) {
	var file *os.File
	var size int64
	var err error
	if w.verify {
		file, size, err = f.cache.GetVerified(w.hash)
	} else {
		file, size, err = f.cache.Get(w.hash, w.size)
	}
	if err != nil {
		return nil, err
	}
	return newContent(file, size, nil), nil
}
