package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"path/filepath"
	"testing"
)

// fakeKey returns something that looks like an RSA key of so many bits.
func fakeKey(bits uint) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
}

// TestKeySizes: whoever forges a manifest chooses the certificate that is looked at
// first; its key must not cost minutes. A small key proves nothing.
func TestKeySizes(t *testing.T) {
	certOf := func(pub any) []byte {
		tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.AddDate(1, 0, 0)}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, pub, signKey())
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		key  any
		ok   bool
	}{
		{"512", fakeKey(512), false}, {"1023", fakeKey(1023), false}, {"1024", fakeKey(1024), true},
		{"16384", fakeKey(16384), true}, {"16385", fakeKey(16385), false}, {"a million", fakeKey(1 << 20), false},
		{"elliptic curve", &elliptic.PublicKey, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parseCertificate(certOf(tt.key)); (err == nil) != tt.ok || !tt.ok && !errors.Is(err, ErrBadCertificate) {
				t.Errorf("certificate: got %v", err)
			}
			path := write(t, filepath.Join(t.TempDir(), "x.pub"), keyPEM(t, tt.key))
			if _, err := LoadKeys([]string{path}); (err == nil) != tt.ok || !tt.ok && !errors.Is(err, ErrKeys) {
				t.Errorf("master key: got %v", err)
			}
		})
	}
}
