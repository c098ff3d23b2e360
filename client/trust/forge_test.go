package trust

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// now is the time at which the tests verify.
var now = time.Date(2026, 7, 15, 12, 30, 0, 0, time.UTC)

// testKeys are made once: RSA keys take time.
var testKeys = sync.OnceValue(func() (k [3]*rsa.PrivateKey) {
	for i := range k {
		var err error
		if k[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return k
})

func masterKey() *rsa.PrivateKey { return testKeys()[0] }
func signKey() *rsa.PrivateKey   { return testKeys()[1] }
func otherKey() *rsa.PrivateKey  { return testKeys()[2] }

// forge is a repository's signed state in the making. Tests change what they want
// wrong and ask for the bytes.
type forge struct {
	alg       object.Algorithm
	manifest  string // text of the letter
	whitelist string
	cert      []byte // PEM
	der       []byte
	signer    *rsa.PrivateKey // of the manifest
	master    *rsa.PrivateKey // of the whitelist
	keys      Keys
	blacklist *Blacklist
	caDir     string
	tail      string // bytes after both signatures
	fail      map[string]error
	asked     []string
}

func newForge(t testing.TB) *forge {
	t.Helper()
	f := &forge{alg: object.SHA1, signer: signKey(), master: masterKey(), keys: Keys{{"test", &masterKey().PublicKey}}}
	f.der = makeCert(t, signKey(), nil, nil, false)
	f.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.der})
	f.manifest = "C" + strings.Repeat("ab", 20) + "\nB1234\nR" + rootPath + "\nD240\nS7\nGyes\nAno\nNtest.example.org\nX" +
		object.SHA1.Sum(f.cert).String() + "\nH" + strings.Repeat("cd", 20) + "\nT1752580000\n"
	f.whitelist = "20260701000000\nE20260801120000\nNtest.example.org\n" + fingerprint(object.SHA1, f.der) + " # the signer\n"
	return f
}

// makeCert returns a certificate for key, self-signed if parent is nil.
func makeCert(t testing.TB, key *rsa.PrivateKey, parent *x509.Certificate, parentKey *rsa.PrivateKey, ca bool) []byte {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(int64(key.N.Bit(3)) + 42), Subject: pkix.Name{CommonName: fmt.Sprintf("test %x", key.N.Bytes()[:4])},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if ca {
		tmpl.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	if parent == nil {
		parent, parentKey = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// fingerprint writes a fingerprint as whitelists do.
func fingerprint(a object.Algorithm, der []byte) string {
	var pairs []string
	for _, b := range a.Sum(der).Digest() {
		pairs = append(pairs, fmt.Sprintf("%02X", b))
	}
	return strings.Join(pairs, ":") + strings.ToUpper(a.Suffix())
}

func (f *forge) manifestBytes(t testing.TB) []byte {
	t.Helper()
	text := f.alg.Sum([]byte(f.manifest)).String()
	sum := sha1.Sum([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, f.signer, crypto.SHA1, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return []byte(f.manifest + "--\n" + text + "\n" + string(sig) + f.tail)
}

func (f *forge) whitelistBytes(t testing.TB) []byte {
	t.Helper()
	text := f.alg.Sum([]byte(f.whitelist)).String()
	sig, err := rsa.SignPKCS1v15(nil, f.master, crypto.Hash(0), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(f.whitelist + "--\n" + text + "\n" + string(sig) + f.tail)
}

func (f *forge) verifier() *Verifier {
	return &Verifier{
		Name: "test.example.org", Keys: f.keys, Blacklist: f.blacklist, CADir: f.caDir,
		Now: func() time.Time { return now },
	}
}

// sources serves fixed bytes and keeps what was asked for.
type sources struct {
	cert, whitelist []byte
	fail            map[string]error
	asked           []string
}

func (s *sources) Certificate(_ context.Context, h object.Hash, _ bool) ([]byte, error) {
	s.asked = append(s.asked, "certificate")
	if err := s.fail["certificate"]; err != nil {
		return nil, err
	}
	return s.cert, nil
}

func (s *sources) Whitelist(context.Context) ([]byte, error) {
	s.asked = append(s.asked, "whitelist")
	if err := s.fail["whitelist"]; err != nil {
		return nil, err
	}
	return s.whitelist, nil
}

// verify verifies what the forge made.
func (f *forge) verify(t testing.TB, known Breadcrumb) (*Manifest, error) {
	t.Helper()
	src := &sources{cert: f.cert, whitelist: f.whitelistBytes(t), fail: f.fail}
	m, err := f.verifier().Manifest(t.Context(), f.manifestBytes(t), known, src)
	f.asked = src.asked
	if (m == nil) == (err == nil) {
		t.Errorf("manifest %v with error %v", m, err)
	}
	return m, err
}

var errOffline = errors.New("no network")
