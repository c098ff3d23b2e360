package testrepo

import (
	"bufio"
	"compress/zlib"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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
	dir  string
	algo Algorithm
	pool sync.Pool // *zlib.Writer
}

func newStore(dir string, algo Algorithm) (*store, error) {
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(dir, "data", hex.EncodeToString([]byte{byte(i)})), 0o755); err != nil {
			return nil, err
		}
	}
	return &store{dir: dir, algo: algo, pool: sync.Pool{New: func() any { return zlib.NewWriter(nil) }}}, nil
}

// put writes what r yields as one object.
func (s *store) put(r io.Reader, kind byte, plain bool) (Object, error) {
	tmp, err := os.CreateTemp(filepath.Join(s.dir, "data"), ".tmp-")
	if err != nil {
		return Object{}, err
	}
	defer os.Remove(tmp.Name())
	h := s.algo.new()
	buf := bufio.NewWriterSize(tmp, 32<<10)
	out := &countWriter{w: io.MultiWriter(h, buf)}
	o := Object{Kind: kind}
	if plain {
		o.Size, err = io.Copy(out, r)
	} else {
		o.Size, err = s.deflate(out, r)
	}
	err = errors.Join(err, buf.Flush(), tmp.Chmod(0o644), tmp.Close())
	if err != nil {
		return Object{}, fmt.Errorf("write object: %w", err)
	}
	o.digest = h.Sum(nil)
	o.Hash, o.Stored = s.algo.text(o.digest), out.n
	return o, os.Rename(tmp.Name(), filepath.Join(s.dir, o.Path()))
}

// emptyZlib is what the zlib library makes of nothing; Go's makes something else,
// and the hash of this one is known to everybody who reads catalogs.
var emptyZlib = []byte{0x78, 0x9c, 0x03, 0, 0, 0, 0, 1}

func (s *store) deflate(w io.Writer, r io.Reader) (int64, error) {
	z := s.pool.Get().(*zlib.Writer)
	defer s.pool.Put(z)
	z.Reset(w)
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err == io.EOF {
		_, err := w.Write(emptyZlib)
		return 0, err
	} else if err != nil {
		return 0, err
	}
	if _, err := z.Write(first); err != nil {
		return 0, err
	}
	n, err := io.Copy(z, r)
	return n + 1, errors.Join(err, z.Close())
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
