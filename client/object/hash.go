package object

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrHash is wrapped by the errors of [Parse] and [FromDigest].
var ErrHash = errors.New("malformed hash")

// Hash is an algorithm and a digest. It is comparable and may be a map key. The
// zero value is null.
type Hash struct {
	alg    Algorithm
	digest [20]byte // MD5 fills the first 16
}

// Suffix is the letter after the hash in an object's name: what kind of object it
// is.
type Suffix byte

// The kinds of objects (CVMFS client, crypto/hash.h kSuffix).
const (
	File        Suffix = 0   // a whole regular file
	Catalog     Suffix = 'C' // a catalog, SQLite
	History     Suffix = 'H' // the tag database, SQLite
	Certificate Suffix = 'X' // the certificate that signs manifests, PEM
	Metainfo    Suffix = 'M' // description of the repository, JSON
	Chunk       Suffix = 'P' // a piece of a large file
	Micro       Suffix = 'L' // micro catalog, never used
)

// Compression is how an object's content is stored, numbered as in the flags of
// catalog entries.
type Compression uint8

// The compressions.
const (
	Zlib   Compression = 0 // a zlib stream (RFC 1950)
	Stored Compression = 1 // as it is
)

func (c Compression) String() string {
	switch c {
	case Zlib:
		return "zlib"
	case Stored:
		return "none"
	}
	return fmt.Sprintf("compression %d", uint8(c))
}

// Parse reads the text form of a hash, which is strict: lower-case hex digits and
// the algorithm's suffix, nothing else. 40 zeros are the null hash in every
// repository.
func Parse(text string) (Hash, error) {
	digits, suffix := text, ""
	if i := strings.IndexByte(text, '-'); i >= 0 {
		digits, suffix = text[:i], text[i:]
	}
	alg, ok := algorithmOf(len(digits), suffix)
	if !ok {
		return Hash{}, fmt.Errorf("%w: %d characters", ErrHash, len(text))
	}
	h := Hash{alg: alg}
	for i := range digits {
		if c := digits[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Hash{}, fmt.Errorf("%w: character %d is no lower-case hex digit", ErrHash, i+1)
		}
	}
	if _, err := hex.Decode(h.digest[:], []byte(digits)); err != nil {
		return Hash{}, fmt.Errorf("%w: %w", ErrHash, err)
	}
	return h, nil
}

func algorithmOf(digits int, suffix string) (Algorithm, bool) {
	switch {
	case digits == 32 && suffix == "":
		return MD5, true
	case digits != 40:
		return 0, false
	}
	for _, a := range []Algorithm{SHA1, RIPEMD160, SHAKE128} {
		if suffix == a.Suffix() {
			return a, true
		}
	}
	return 0, false
}

// FromDigest makes a hash from the bytes of a digest, which must be as many as the
// algorithm gives.
func FromDigest(a Algorithm, digest []byte) (Hash, error) {
	if !a.Valid() {
		return Hash{}, fmt.Errorf("%w: unknown %v", ErrHash, a)
	}
	if len(digest) != a.Size() {
		return Hash{}, fmt.Errorf("%w: %d bytes of digest, %v has %d", ErrHash, len(digest), a, a.Size())
	}
	h := Hash{alg: a}
	copy(h.digest[:], digest)
	return h, nil
}

// Algorithm returns the hash's algorithm.
func (h Hash) Algorithm() Algorithm { return h.alg }

// Digest returns the digest's bytes, a copy.
func (h Hash) Digest() []byte { return append([]byte(nil), h.digest[:h.alg.Size()]...) }

// IsNull reports whether all bytes of the digest are zero, whatever the algorithm:
// the hash of nothing.
func (h Hash) IsNull() bool { return h.digest == [20]byte{} }

// String returns the text form, which [Parse] reads. A null hash is 40 zeros.
func (h Hash) String() string {
	if h.IsNull() {
		return strings.Repeat("0", 40)
	}
	return hex.EncodeToString(h.digest[:h.alg.Size()]) + h.alg.Suffix()
}

// Path returns the object's name below the repository's URL:
// "data/ab/cdef...-shake128C".
func (h Hash) Path(s Suffix) string {
	text := h.String()
	return "data/" + text[:2] + "/" + text[2:] + s.String()
}

// AltPath returns the name that a root catalog or certificate has besides, in
// repositories whose manifest says so: ".cvmfsalt-abcdef...C".
func (h Hash) AltPath(s Suffix) string { return ".cvmfsalt-" + h.String() + s.String() }

// String returns the suffix as it stands in names, empty for [File].
func (s Suffix) String() string {
	if s == File {
		return ""
	}
	return string([]byte{byte(s)})
}
