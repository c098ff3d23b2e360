package testrepo

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
)

// A Source is the content of a regular file, read anew whenever it is needed. Size
// must be what Open yields.
type Source interface {
	Size() int64
	Open() (io.ReadCloser, error)
}

type text string

func (s text) Size() int64                  { return int64(len(s)) }
func (s text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(s))), nil }

// Zeros is a source of size zero bytes.
func Zeros(size int64) Source { return generated{size: size, kind: kindZeros} }

// Random is a source of size incompressible bytes that depend on seed alone.
func Random(seed uint64, size int64) Source { return generated{seed, size, kindRandom} }

// Words is a source of size bytes of compressible text that depend on seed alone.
func Words(seed uint64, size int64) Source { return generated{seed, size, kindWords} }

type kind uint8

const (
	kindZeros kind = iota
	kindRandom
	kindWords
)

type generated struct {
	seed uint64
	size int64
	kind kind
}

func (g generated) Size() int64 { return g.size }

func (g generated) Open() (io.ReadCloser, error) {
	var r io.Reader = zeroReader{}
	switch g.kind {
	case kindRandom:
		r = chacha(g.seed)
	case kindWords:
		r = &wordReader{rng: rand.New(rand.NewPCG(g.seed, 1))}
	}
	return io.NopCloser(io.LimitReader(r, g.size)), nil
}

// chacha returns a stream of random bytes that depends on seed alone.
func chacha(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type wordReader struct {
	rng  *rand.Rand
	rest string
}

func (w *wordReader) Read(p []byte) (int, error) {
	const syllables = "lorem ipsum do lor sit amet con sec te tur adi\npis cing elit sed eius mod tem por "
	n := 0
	for n < len(p) {
		if w.rest == "" {
			i := w.rng.IntN(len(syllables) - 8)
			w.rest = syllables[i : i+3+w.rng.IntN(6)]
		}
		c := copy(p[n:], w.rest)
		w.rest = w.rest[c:]
		n += c
	}
	return n, nil
}

// fsFile is a file of an fs.FS.
type fsFile struct {
	fsys fs.FS
	name string
	size int64
}

func (f fsFile) Size() int64                  { return f.size }
func (f fsFile) Open() (io.ReadCloser, error) { return f.fsys.Open(f.name) }

// diskFile is a file of the machine.
type diskFile struct {
	path string
	size int64
}

func (f diskFile) Size() int64                  { return f.size }
func (f diskFile) Open() (io.ReadCloser, error) { return os.Open(f.path) }
