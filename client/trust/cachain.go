package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// DefaultCADir holds the authorities' certificates and revocation lists, unless
// X509_CERT_DIR names another directory.
const DefaultCADir = "/etc/grid-security/certificates"

// authorities is the content of a directory of authorities: certificates (*.pem,
// *.crt, HASH.N) and revocation lists (HASH.rN).
type authorities struct {
	roots, intermediates *x509.CertPool
	revocations          []*x509.RevocationList
}

// verifyChain checks that cert leads to an authority in dir and that none of the
// chain is revoked. As in the CVMFS client every issuer must have a revocation
// list that is valid now: without one the certificate is refused. Errors match
// [ErrCAChain].
func verifyChain(cert *x509.Certificate, dir string, now time.Time) error {
	if dir == "" {
		dir = DefaultCADir
	}
	a, err := loadAuthorities(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCAChain, err)
	}
	chains, err := cert.Verify(x509.VerifyOptions{
		Roots: a.roots, Intermediates: a.intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCAChain, err)
	}
	for _, chain := range chains {
		if err = a.checkRevoked(chain, now); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %w", ErrCAChain, err)
}

func loadAuthorities(dir string) (*authorities, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	a := &authorities{roots: x509.NewCertPool(), intermediates: x509.NewCertPool()}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		isList := strings.HasPrefix(ext, ".r")
		isCert := ext == ".pem" || ext == ".crt" || len(ext) == 2 && ext[1] >= '0' && ext[1] <= '9'
		if !isList && !isCert {
			continue
		}
		data, err := readFile(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // what cannot be read vouches for nothing
		}
		a.add(data)
	}
	return a, nil
}

func (a *authorities) add(data []byte) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			switch {
			case err != nil:
			case bytes.Equal(c.RawSubject, c.RawIssuer): // an authority of its own
				a.roots.AddCert(c)
			default:
				a.intermediates.AddCert(c)
			}
		case "X509 CRL":
			if l, err := x509.ParseRevocationList(block.Bytes); err == nil {
				a.revocations = append(a.revocations, l)
			}
		}
	}
}

// checkRevoked looks for every certificate of the chain in its issuer's revocation
// list; the root, which ends the chain, is its own issuer.
func (a *authorities) checkRevoked(chain []*x509.Certificate, now time.Time) error {
	for i, c := range chain {
		issuer, found := chain[min(i+1, len(chain)-1)], false
		for _, l := range a.revocations {
			if l.CheckSignatureFrom(issuer) != nil || now.Before(l.ThisUpdate) || !now.Before(l.NextUpdate) {
				continue
			}
			found = true
			for _, r := range l.RevokedCertificateEntries {
				if r.SerialNumber.Cmp(c.SerialNumber) == 0 {
					return fmt.Errorf("certificate %q is revoked", c.Subject)
				}
			}
		}
		if !found {
			return fmt.Errorf("no valid revocation list of %q", issuer.Subject)
		}
	}
	return nil
}
