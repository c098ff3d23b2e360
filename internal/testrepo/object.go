package testrepo

import (
	"bufio"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
)

// An Object is a file below data/: content, chunk, catalog, certificate.
type Object struct {
	Hash   string // text form, with the algorithm: what manifest and catalogs say
	Kind   byte   // suffix letter of the name: 0 content, P chunk, C catalog, X certificate, H history, M metainfo
	Size   int64  // bytes of the content
	Stored int64  // bytes of the object as it lies in the tree

	digest []byte
}

// Path returns the object's path below the repository: data/ab/cdef...
func (o Object) Path() string {
	p := "data/" + o.Hash[:2] + "/" + o.Hash[2:]
	if o.Kind != 0 {
		p += string(o.Kind)
	}
	return p
}

// store writes objects into the tree of a publication. It is safe for use by
// several goroutines.
type store struct {
	dir     string
	algo    Algorithm
	scratch sync.Pool // *scratch
}

// scratch is what writing an object needs and the next one can use again.
type scratch struct {
	zlib *zlib.Writer
	out  *bufio.Writer
	buf  []byte
}

func newStore(dir string, algo Algorithm) (*store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		return nil, err
	}
	return &store{dir: dir, algo: algo, scratch: sync.Pool{New: func() any {
		return &scratch{zlib.NewWriter(nil), bufio.NewWriterSize(nil, 32<<10), make([]byte, 32<<10)}
	}}}, nil
}

// put writes what r yields as one object.
func (s *store) put(r io.Reader, kind byte, plain bool) (Object, error) {
	name := filepath.Join(s.dir, "data", fmt.Sprintf(".tmp-%016x", rand.Uint64()))
	tmp, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return Object{}, err
	}
	w := s.scratch.Get().(*scratch)
	defer s.scratch.Put(w)
	h := s.algo.new()
	w.out.Reset(tmp)
	out := &countWriter{w: io.MultiWriter(h, w.out)}
	o := Object{Kind: kind}
	if plain {
		o.Size, err = io.CopyBuffer(out, readerOnly{r}, w.buf)
	} else {
		o.Size, err = w.deflate(out, r)
	}
	if err = errors.Join(err, w.out.Flush(), tmp.Close()); err != nil {
		return Object{}, errors.Join(fmt.Errorf("write object: %w", err), os.Remove(name))
	}
	o.digest = h.Sum(nil)
	o.Hash, o.Stored = s.algo.text(o.digest), out.n
	if err := s.rename(name, filepath.Join(s.dir, o.Path())); err != nil {
		return Object{}, errors.Join(err, os.Remove(name))
	}
	return o, nil
}

// readerOnly hides WriteTo, which would not use our buffer.
type readerOnly struct{ io.Reader }

// rename puts a finished object in its place and makes the directory when it is
// the first one in it.
func (s *store) rename(tmp, name string) error {
	err := os.Rename(tmp, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Mkdir(filepath.Dir(name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(tmp, name)
}

// emptyZlib is what the zlib library makes of nothing; Go's makes something else,
// and the hash of this one is known to everybody who reads catalogs.
var emptyZlib = []byte{0x78, 0x9c, 0x03, 0, 0, 0, 0, 1}

func (w *scratch) deflate(to io.Writer, r io.Reader) (int64, error) {
	n, err := io.ReadFull(r, w.buf)
	if err == io.EOF {
		_, err := to.Write(emptyZlib)
		return 0, err
	}
	w.zlib.Reset(to)
	more := int64(0)
	switch err {
	case nil:
		if _, err = w.zlib.Write(w.buf); err == nil {
			more, err = io.CopyBuffer(w.zlib, readerOnly{r}, w.buf)
		}
	case io.ErrUnexpectedEOF:
		_, err = w.zlib.Write(w.buf[:n])
	}
	return int64(n) + more, errors.Join(err, w.zlib.Close())
}

type countWriter struct {
	w io.Writer
	n int64
}

func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
