package trust

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// whitelistTime is how whitelists write a time, in UTC.
const whitelistTime = "20060102150405"

// Whitelist is the content of .cvmfswhitelist (CVMFS client, whitelist.cc).
type Whitelist struct {
	Name         string
	Expires      time.Time // UTC; only the hour counts
	Fingerprints []object.Hash
	PKCS7        bool // Vpkcs7: to be verified through another, PKCS#7 signed file
	CAChain      bool // Wcachain: certificates must come from an accepted authority

	letter letter
}

// ParseWhitelist reads a whitelist without verifying anything but the hash of its
// text. Errors match [ErrWhitelistEmpty] or [ErrWhitelistMalformed].
func ParseWhitelist(data []byte) (*Whitelist, error) {
	if len(data) == 0 {
		return nil, ErrWhitelistEmpty
	}
	w := new(Whitelist)
	var err error
	if w.letter, err = parseLetter(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWhitelistMalformed, err)
	}
	lines := strings.Split(strings.TrimSuffix(string(w.letter.text), "\n"), "\n")
	if len(lines) < 3 {
		return nil, fmt.Errorf("%w: %d lines", ErrWhitelistMalformed, len(lines))
	}
	if len(lines[0]) != len(whitelistTime) {
		return nil, fmt.Errorf("%w: no creation time", ErrWhitelistMalformed)
	}
	expires, ok := strings.CutPrefix(lines[1], "E")
	if !ok || len(expires) != len(whitelistTime) {
		return nil, fmt.Errorf("%w: no expiry time", ErrWhitelistMalformed)
	}
	if w.Expires, err = time.Parse(whitelistTime, expires); err != nil {
		return nil, fmt.Errorf("%w: expiry time %q", ErrWhitelistMalformed, expires)
	}
	if w.Name, ok = strings.CutPrefix(lines[2], "N"); !ok || w.Name == "" {
		return nil, fmt.Errorf("%w: no repository name", ErrWhitelistMalformed)
	}
	for _, line := range lines[3:] {
		if err := w.line(line); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// line takes a line after the first three: a demand or a fingerprint. Lines that
// hold no hash are skipped, demands that nobody knows are not.
func (w *Whitelist) line(line string) error {
	switch {
	case line == "Vpkcs7":
		w.PKCS7 = true
	case line == "Wcachain":
		w.CAChain = true
	case strings.HasPrefix(line, "V"), strings.HasPrefix(line, "W"):
		return fmt.Errorf("%w: unknown demand %q", ErrWhitelistMalformed, line)
	default:
		if h, ok := parseFingerprint(line); ok && h.Algorithm() != object.MD5 {
			w.Fingerprints = append(w.Fingerprints, h)
		}
	}
	return nil
}

// parseFingerprint reads upper-case hex pairs with colons between them, up to the
// first blank or comment sign.
func parseFingerprint(line string) (object.Hash, bool) {
	if i := strings.IndexAny(line, " \t#"); i >= 0 {
		line = line[:i]
	}
	h, err := object.Parse(strings.ToLower(strings.ReplaceAll(line, ":", "")))
	return h, err == nil && !h.IsNull()
}

// verify checks that the whitelist is the repository's, signed by one of keys, and
// not expired at now.
func (w *Whitelist) verify(name string, keys Keys, now time.Time) error {
	if w.Name != name {
		return fmt.Errorf("%w: it is for %q", ErrWhitelistName, w.Name)
	}
	// The hour of now must be smaller than the hour of the expiry, minutes do
	// not count.
	if !now.UTC().Truncate(time.Hour).Before(w.Expires.Truncate(time.Hour)) {
		return fmt.Errorf("%w: it was valid until %s", ErrWhitelistExpired, w.Expires.Format(time.DateTime))
	}
	if w.PKCS7 {
		return fmt.Errorf("%w: verification of PKCS#7 whitelists is not supported", ErrWhitelistPKCS7)
	}
	for _, key := range keys {
		if w.letter.verifyWhitelist(key.RSA) == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: none of %d master keys fits", ErrWhitelistSignature, len(keys))
}

// lists reports whether the fingerprint of the certificate, given as DER, is on
// the whitelist.
func (w *Whitelist) lists(der []byte) bool { return contains(w.Fingerprints, der) }

func contains(fingerprints []object.Hash, der []byte) bool {
	return slices.ContainsFunc(fingerprints, func(h object.Hash) bool {
		return bytes.Equal(h.Digest(), h.Algorithm().Sum(der).Digest())
	})
}
