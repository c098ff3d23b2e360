package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// DefaultBlacklist is the blacklist when no other is configured.
const DefaultBlacklist = "/etc/cvmfs/blacklist"

// Blacklist names certificates and revisions that a site refuses although they are
// signed. The zero value refuses nothing.
type Blacklist struct {
	fingerprints []object.Hash
	revisions    map[string]uint64 // repository -> smallest revision allowed
}

// LoadBlacklist reads the files that exist; one that exists and cannot be read is
// an error.
func LoadBlacklist(paths ...string) (*Blacklist, error) {
	b := new(Blacklist)
	for _, p := range paths {
		data, err := readFile(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("read blacklist: %w", err)
		default:
			b.Add(data)
		}
	}
	return b, nil
}

// Add takes the lines of a blacklist file: the fingerprint of a certificate, or
// "<REPOSITORY N", which refuses the revisions smaller than N. What follows # is a
// comment; other lines mean nothing, as in the CVMFS client.
func (b *Blacklist) Add(data []byte) {
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		rest, ok := strings.CutPrefix(line, "<")
		if !ok {
			if h, ok := parseFingerprint(line); ok {
				b.fingerprints = append(b.fingerprints, h)
			}
			continue
		}
		f := strings.Fields(rest)
		if len(f) != 2 {
			continue
		}
		if n, err := strconv.ParseUint(f[1], 10, 64); err == nil {
			if b.revisions == nil {
				b.revisions = make(map[string]uint64)
			}
			b.revisions[f[0]] = max(n, b.revisions[f[0]])
		}
	}
}

// refusesCertificate reports whether the certificate, given as DER, is listed.
func (b *Blacklist) refusesCertificate(der []byte) bool {
	return b != nil && contains(b.fingerprints, der)
}

// CheckRevision returns an error that matches [ErrRevisionBlacklisted] when the
// revision of the repository is refused.
func (b *Blacklist) CheckRevision(name string, revision uint64) error {
	if b == nil {
		return nil
	}
	if least := b.revisions[name]; revision < least {
		return fmt.Errorf("%w: %q has revision %d, at least %d is wanted", ErrRevisionBlacklisted, name, revision, least)
	}
	return nil
}
