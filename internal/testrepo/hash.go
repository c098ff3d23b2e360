package testrepo

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha3"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strings"

	//lint:ignore SA1019 RIPEMD-160 is one of the format's hashes
	"golang.org/x/crypto/ripemd160"
)

// Algorithm is a hash algorithm of a repository. The zero value is SHA-1.
type Algorithm int

// The algorithms, in the order of the catalog's flag bits (CVMFS, crypto/hash.h).
const (
	SHA1 Algorithm = iota
	RIPEMD160
	SHAKE128 // the first 20 bytes of the output
)

// digestSize is the length in bytes of all three digests.
const digestSize = 20

func (a Algorithm) new() hash.Hash {
	switch a {
	case RIPEMD160:
		return ripemd160.New()
	case SHAKE128:
		return &shake{sha3.NewSHAKE128()}
	}
	return sha1.New()
}

// suffix returns what the text form of a hash carries behind its digits.
func (a Algorithm) suffix() string {
	return [...]string{"", "-rmd160", "-shake128"}[a]
}

func (a Algorithm) sum(data []byte) []byte {
	h := a.new()
	h.Write(data)
	return h.Sum(nil)
}

// text returns the text form of a digest.
func (a Algorithm) text(digest []byte) string { return hex.EncodeToString(digest) + a.suffix() }

// fingerprint returns the form of the whitelist: upper case pairs joined by colons,
// then the upper case algorithm.
func (a Algorithm) fingerprint(der []byte) string {
	var b strings.Builder
	for i, c := range a.sum(der) {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
	}
	return b.String() + strings.ToUpper(a.suffix())
}

// shake makes a hash of fixed size out of SHAKE128.
type shake struct{ *sha3.SHAKE }

func (s *shake) Size() int { return digestSize }

func (s *shake) Sum(b []byte) []byte {
	state, err := s.MarshalBinary()
	if err != nil {
		panic(err) // the type documents that it can
	}
	c := sha3.NewSHAKE128()
	if err := c.UnmarshalBinary(state); err != nil {
		panic(err)
	}
	out := make([]byte, digestSize)
	c.Read(out)
	return append(b, out...)
}

// nullHash is the text of the hash that stands for "none", the same in repositories
// of every algorithm.
var nullHash = strings.Repeat("0", 2*digestSize)

// pathKey returns the two halves of the key of a path in a catalog: the MD5 of the
// absolute path, "" for the root, each half little endian.
func pathKey(path string) (int64, int64) {
	d := md5.Sum([]byte(path))
	return int64(binary.LittleEndian.Uint64(d[:8])), int64(binary.LittleEndian.Uint64(d[8:]))
}
