package object

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha3"
	"fmt"
	"hash"

	//lint:ignore SA1019 repositories made with this algorithm exist
	"golang.org/x/crypto/ripemd160"
)

// Algorithm is a hash algorithm, numbered as in the flags of catalog entries (CVMFS
// client, crypto/hash.h enum Algorithms).
type Algorithm uint8

// The algorithms. MD5 is for path keys and root paths only, never for objects.
const (
	MD5       Algorithm = 0
	SHA1      Algorithm = 1
	RIPEMD160 Algorithm = 2
	SHAKE128  Algorithm = 3 // the first 20 bytes of its output
)

// Valid reports whether a is one of the known algorithms.
func (a Algorithm) Valid() bool { return a <= SHAKE128 }

// Size returns the bytes of a digest, and 0 for an unknown algorithm.
func (a Algorithm) Size() int {
	switch a {
	case MD5:
		return md5.Size
	case SHA1, RIPEMD160, SHAKE128:
		return sha1.Size
	}
	return 0
}

// Suffix returns what the algorithm adds to the text of a hash: "-shake128",
// "-rmd160" or nothing.
func (a Algorithm) Suffix() string {
	switch a {
	case RIPEMD160:
		return "-rmd160"
	case SHAKE128:
		return "-shake128"
	}
	return ""
}

func (a Algorithm) String() string {
	switch a {
	case MD5:
		return "md5"
	case SHA1:
		return "sha1"
	case RIPEMD160:
		return "rmd160"
	case SHAKE128:
		return "shake128"
	}
	return fmt.Sprintf("algorithm %d", uint8(a))
}

// New returns a running hash of the algorithm, nil for an unknown one.
func (a Algorithm) New() hash.Hash {
	switch a {
	case MD5:
		return md5.New()
	case SHA1:
		return sha1.New()
	case RIPEMD160:
		return ripemd160.New()
	case SHAKE128:
		return &shake{sha3.NewSHAKE128()}
	}
	return nil
}

// Sum returns the hash of data, the null hash for an unknown algorithm.
func (a Algorithm) Sum(data []byte) Hash {
	h := a.New()
	if h == nil {
		return Hash{}
	}
	h.Write(data)
	return sumOf(a, h)
}

func sumOf(a Algorithm, h hash.Hash) Hash {
	out := Hash{alg: a}
	var buf [len(out.digest)]byte
	copy(out.digest[:], h.Sum(buf[:0]))
	return out
}

// shake makes an extendable-output function look like a hash of fixed size.
type shake struct{ *sha3.SHAKE }

func (s *shake) Size() int { return sha1.Size }

func (s *shake) Sum(b []byte) []byte {
	state := *s.SHAKE // reading ends the absorbing phase: read from a copy
	var out [sha1.Size]byte
	state.Read(out[:])
	return append(b, out[:]...)
}
