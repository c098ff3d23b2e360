package testrepo

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// emptyPathHash is the MD5 of the root path, "".
const emptyPathHash = "d41d8cd98f00b204e9800998ecf8427e"

// manifest is the text of .cvmfspublished without its signature: one line per field,
// the letter first (CVMFS, manifest.cc).
type manifest []string

func (m *manifest) set(letter byte, value string) {
	line := string(letter) + value
	if i := m.index(letter); i >= 0 {
		(*m)[i] = line
		return
	}
	*m = append(*m, line)
}

func (m *manifest) drop(letter byte) {
	if i := m.index(letter); i >= 0 {
		*m = slices.Delete(*m, i, i+1)
	}
}

func (m *manifest) index(letter byte) int {
	return slices.IndexFunc(*m, func(l string) bool { return l[0] == letter })
}

// manifest returns the lines in the order the server tools write them.
func (p *publication) newManifest(root, cert Object) manifest {
	yesNo := map[bool]string{true: "yes", false: "no"}
	m := manifest{
		"C" + root.Hash,
		"B" + strconv.FormatInt(root.Size, 10),
		"R" + emptyPathHash,
		"D" + strconv.Itoa(int(p.repo.TTL.Seconds())),
		"S" + strconv.FormatUint(p.repo.Revision, 10),
		"Gno",
		"A" + yesNo[p.repo.AltPath],
		"N" + p.repo.FQRN,
		"X" + cert.Hash,
	}
	if p.history.Hash != "" {
		m = append(m, "H"+p.history.Hash)
	}
	m = append(m, "T"+strconv.FormatInt(p.repo.Time.Unix(), 10))
	if p.metainfo.Hash != "" {
		m = append(m, "M"+p.metainfo.Hash)
	}
	return m
}

const stampForm = "20060102150405"

// whitelist is the content of .cvmfswhitelist without its signature (CVMFS,
// whitelist.cc).
type whitelist struct {
	created, expires time.Time
	fqrn             string
	flags            []string // Vpkcs7, Wcachain
	fingerprints     []string
}

func (w *whitelist) lines() []string {
	out := []string{w.created.UTC().Format(stampForm), "E" + w.expires.UTC().Format(stampForm), "N" + w.fqrn}
	return append(append(out, w.flags...), w.fingerprints...)
}

// letter returns the signed form of lines: the lines, "--", the hash of everything
// before, and the signature of that hash's text (CVMFS, crypto/signature.cc).
func letter(algo Algorithm, lines []string, sign func(text []byte) ([]byte, error)) ([]byte, error) {
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	hash := algo.text(algo.sum(b.Bytes()))
	sig, err := sign([]byte(hash))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b.WriteString("--\n" + hash + "\n")
	b.Write(sig)
	return b.Bytes(), nil
}

// signManifest signs as the release manager does: PKCS#1 v1.5 over SHA-1.
func signManifest(key *rsa.PrivateKey) func([]byte) ([]byte, error) {
	return func(text []byte) ([]byte, error) {
		d := sha1.Sum(text)
		return rsa.SignPKCS1v15(nil, key, crypto.SHA1, d[:])
	}
}

// signWhitelist signs as the holder of the master key does: PKCS#1 v1.5 over the
// text itself.
func signWhitelist(key *rsa.PrivateKey) func([]byte) ([]byte, error) {
	return func(text []byte) ([]byte, error) {
		return rsa.SignPKCS1v15(nil, key, crypto.Hash(0), text)
	}
}

// certificate returns the self-signed certificate of the manifest's key, as DER.
func certificate(fqrn string, key *rsa.PrivateKey) ([]byte, error) {
	name := pkix.Name{CommonName: fqrn + " test release manager"}
	t := &x509.Certificate{
		SerialNumber:       big.NewInt(1),
		Issuer:             name,
		Subject:            name,
		NotBefore:          time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:           time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), // nobody looks at it
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	return x509.CreateCertificate(nil, t, t, &key.PublicKey, key)
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
