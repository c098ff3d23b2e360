package trust

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// MaxSize is the most bytes a manifest, whitelist or certificate may have.
const MaxSize = 1 << 20

// rootPath is the hash of the repository's root path, the empty string.
const rootPath = "d41d8cd98f00b204e9800998ecf8427e"

// Manifest is the content of .cvmfspublished (CVMFS client, manifest.cc). One that
// [ParseManifest] returned proves nothing.
type Manifest struct {
	Name        string      // N: fully qualified repository name
	RootCatalog object.Hash // C
	RootPath    object.Hash // R: MD5 of the root path
	RootSize    int64       // B: bytes of the root catalog's content; informative
	TTL         time.Duration
	Revision    uint64      // S
	Published   time.Time   // T; zero when absent
	Certificate object.Hash // X
	History     object.Hash // H: tag database; null when there is none
	Metainfo    object.Hash // M: description; null when there is none
	AltPath     bool        // A: root catalog and certificate have another name besides
	Collectable bool        // G: old objects may be removed from the server

	// Known is set when the root catalog was already the newest known one, so
	// that nothing was verified: Revision and Published are then what was known,
	// History, Metainfo and TTL are zero.
	Known bool

	letter letter
}

// ParseManifest reads a manifest without verifying anything but the hash of its
// text. Errors match [ErrIncomplete].
func ParseManifest(data []byte) (*Manifest, error) {
	m := new(Manifest)
	var err error
	if m.letter, err = parseLetter(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	fields := make(map[byte]string)
	for line := range strings.Lines(string(m.letter.text)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			fields[line[0]] = line[1:]
		}
	}
	for _, key := range []byte("CRSNX") {
		if fields[key] == "" {
			return nil, fmt.Errorf("%w: no field %c", ErrIncomplete, key)
		}
	}
	for key, value := range fields {
		if err := m.set(key, value); err != nil {
			return nil, fmt.Errorf("%w: field %c: %w", ErrIncomplete, key, err)
		}
	}
	if m.RootCatalog.IsNull() || m.Certificate.IsNull() {
		return nil, fmt.Errorf("%w: root catalog or certificate is the null hash", ErrIncomplete)
	}
	return m, nil
}

// set takes one field. Unknown ones are ignored.
func (m *Manifest) set(key byte, value string) (err error) {
	var n int64
	switch key {
	case 'C':
		m.RootCatalog, err = objectHash(value)
	case 'R':
		m.RootPath, err = object.Parse(value)
	case 'X':
		m.Certificate, err = objectHash(value)
	case 'H':
		m.History, err = objectHash(value)
	case 'M':
		m.Metainfo, err = objectHash(value)
	case 'B':
		m.RootSize, err = number(value)
	case 'D':
		n, err = number(value)
		m.TTL = time.Duration(min(n, 1<<31)) * time.Second
	case 'S':
		m.Revision, err = strconv.ParseUint(value, 10, 64)
	case 'T':
		if n, err = number(value); n > 0 {
			m.Published = time.Unix(n, 0).UTC()
		}
	case 'N':
		m.Name = value
	case 'A':
		m.AltPath = value == "yes"
	case 'G':
		m.Collectable = value == "yes"
	}
	return err
}

// objectHash reads the hash of an object, which MD5 never is.
func objectHash(text string) (object.Hash, error) {
	h, err := object.Parse(text)
	if err == nil && h.Algorithm() == object.MD5 {
		return object.Hash{}, fmt.Errorf("%w: MD5 names no object", object.ErrHash)
	}
	return h, err
}

// number reads a decimal number that is not negative.
func number(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err
}
