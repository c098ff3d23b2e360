package trust

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// certificate is what signs manifests. Its dates, names and issuer mean nothing
// unless the whitelist demands a chain.
type certificate struct {
	x509 *x509.Certificate
	key  *rsa.PublicKey
}

// parseCertificate reads the first PEM block. Errors match [ErrBadCertificate].
func parseCertificate(data []byte) (certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return certificate{}, fmt.Errorf("%w: no PEM certificate", ErrBadCertificate)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return certificate{}, fmt.Errorf("%w: %w", ErrBadCertificate, err)
	}
	key, err := rsaKey(c.PublicKey)
	if err != nil {
		return certificate{}, fmt.Errorf("%w: %w", ErrBadCertificate, err)
	}
	return certificate{c, key}, nil
}
