package trust

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"errors"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// Errors of letters; manifest and whitelist wrap them in their own.
var (
	errNoEnd     = errors.New("no line --")
	errNoHash    = errors.New("no hash of the text")
	errTextHash  = errors.New("the text does not have the hash it names")
	errSignature = errors.New("the signature does not fit")
)

// letter is a signed text, taken apart.
type letter struct {
	text      []byte // the lines, with the newline before the end mark
	hashText  []byte // the hash as it stands there: this is what is signed
	signature []byte
}

// parseLetter takes data apart and checks that the text has the hash it names. The
// signature is not looked at.
func parseLetter(data []byte) (letter, error) {
	mark := bytes.Index(data, []byte("\n--\n"))
	if mark < 0 {
		return letter{}, errNoEnd
	}
	l := letter{text: data[:mark+1]}
	rest := data[mark+len("\n--\n"):]
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		return letter{}, errNoHash
	}
	l.hashText, l.signature = rest[:end], rest[end+1:]
	h, err := object.Parse(string(l.hashText))
	if err != nil || h.Algorithm() == object.MD5 || h.IsNull() {
		return letter{}, errNoHash
	}
	if h.Algorithm().Sum(l.text) != h {
		return letter{}, errTextHash
	}
	return l, nil
}

// verifyManifest checks the signature as a publisher makes it: PKCS#1 v1.5 with a
// SHA-1 DigestInfo. The length is checked by rsa: exactly one modulus, so nothing
// can follow the signature.
func (l letter) verifyManifest(key *rsa.PublicKey) error {
	sum := sha1.Sum(l.hashText)
	if rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], l.signature) != nil {
		return errSignature
	}
	return nil
}

// verifyWhitelist checks the signature as the holder of the master key makes it:
// the hash's text itself in a PKCS#1 v1.5 block, without DigestInfo.
func (l letter) verifyWhitelist(key *rsa.PublicKey) error {
	if rsa.VerifyPKCS1v15(key, crypto.Hash(0), l.hashText, l.signature) != nil {
		return errSignature
	}
	return nil
}
