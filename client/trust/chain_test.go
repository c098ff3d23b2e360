package trust

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

func TestChain(t *testing.T) {
	caDER := makeCert(t, masterKey(), nil, nil, true)
	ca, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	leafDER := makeCert(t, signKey(), ca, masterKey(), false)
	leaf, err := x509.ParseCertificate(leafDER)
	if err != nil {
		t.Fatal(err)
	}
	crl := func(next time.Time, serials ...*big.Int) []byte {
		tmpl := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: next}
		for _, s := range serials {
			tmpl.RevokedCertificateEntries = append(tmpl.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: now.Add(-time.Hour)})
		}
		der, err := x509.CreateRevocationList(rand.Reader, tmpl, ca, masterKey())
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	tomorrow := now.AddDate(0, 0, 1)
	for _, tt := range []struct {
		name  string
		files map[string][]byte
		ok    bool
	}{
		{"good", map[string][]byte{"abc.0": caPEM, "abc.r0": crl(tomorrow)}, true},
		{"good, others revoked", map[string][]byte{"abc.pem": caPEM, "abc.r0": crl(tomorrow, big.NewInt(99))}, true},
		{"no authority", map[string][]byte{"abc.r0": crl(tomorrow)}, false},
		{"no revocation list", map[string][]byte{"abc.0": caPEM}, false},
		{"old revocation list", map[string][]byte{"abc.0": caPEM, "abc.r0": crl(now.Add(-time.Minute))}, false},
		{"revoked", map[string][]byte{"abc.0": caPEM, "abc.r0": crl(tomorrow, leaf.SerialNumber)}, false},
		{"empty directory", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, data := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f := newForge(t)
			f.caDir = dir
			f.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER})
			f.whitelist = strings.Replace(f.whitelist, fingerprint(object.SHA1, f.der), "Wcachain\n"+fingerprint(object.SHA1, leafDER), 1)
			_, err := f.verify(t, Breadcrumb{})
			if tt.ok && err != nil || !tt.ok && !errors.Is(err, ErrCAChain) {
				t.Errorf("got %v", err)
			}
		})
	}
}
