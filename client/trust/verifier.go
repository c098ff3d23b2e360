package trust

import (
	"context"
	"fmt"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// Sources gets what is needed, besides the manifest, to verify one. Each call may
// use the network; its errors come back to the caller of [Verifier.Manifest].
type Sources interface {
	// Certificate returns the content of the certificate object, verified
	// against its hash. alt says that it has an alternative name.
	Certificate(ctx context.Context, h object.Hash, alt bool) ([]byte, error)
	// Whitelist returns the bytes of .cvmfswhitelist.
	Whitelist(ctx context.Context) ([]byte, error)
}

// Verifier verifies the manifests of one repository. It may be used by several
// goroutines.
type Verifier struct {
	Name      string           // fully qualified repository name
	Keys      Keys             // master keys, at least one
	Blacklist *Blacklist       // nil refuses nothing
	CADir     string           // certificates and revocation lists of the authorities, for whitelists that demand them
	Now       func() time.Time // nil is time.Now
}

// Manifest verifies the bytes of a .cvmfspublished and returns what it says. known
// is the newest state known here, zero if there is none: an older manifest is
// refused, and one with that very root catalog is accepted without looking
// further (see [Manifest.Known]). Refusals match [ErrRefused]; other errors are
// those of src.
func (v *Verifier) Manifest(ctx context.Context, data []byte, known Breadcrumb, src Sources) (*Manifest, error) {
	m, err := ParseManifest(data)
	if err != nil {
		return nil, err
	}
	if err := v.describe(m, known); err != nil {
		return nil, err
	}
	if m.RootCatalog == known.Root {
		return &Manifest{
			Name: m.Name, RootCatalog: m.RootCatalog, RootPath: m.RootPath, Certificate: m.Certificate, AltPath: m.AltPath,
			Revision: known.Revision, Published: known.Published, Known: true,
		}, nil
	}
	if err := v.signed(ctx, m, src); err != nil {
		return nil, err
	}
	return m, nil
}

// describe checks what a manifest says of itself.
func (v *Verifier) describe(m *Manifest, known Breadcrumb) error {
	if m.Name != v.Name {
		return fmt.Errorf("%w: it is for %q", ErrName, m.Name)
	}
	if m.RootPath.String() != rootPath {
		return ErrRootPath
	}
	if !known.IsZero() && m.Published.Before(known.Published) {
		return fmt.Errorf("%w: published %s, but %s is known", ErrOutdated,
			m.Published.Format(time.DateTime), known.Published.Format(time.DateTime))
	}
	return nil
}

// signed checks who signed the manifest.
func (v *Verifier) signed(ctx context.Context, m *Manifest, src Sources) error {
	pem, err := src.Certificate(ctx, m.Certificate, m.AltPath)
	if err != nil {
		return err
	}
	cert, err := parseCertificate(pem)
	if err != nil {
		return err
	}
	if err := m.letter.verifyManifest(cert.key); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	data, err := src.Whitelist(ctx)
	if err != nil {
		return err
	}
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	w, err := ParseWhitelist(data)
	if err == nil {
		err = w.verify(v.Name, v.Keys, now())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadWhitelist, err)
	}
	if err := v.allowed(cert, w, now()); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidCertificate, err)
	}
	return nil
}

// allowed checks that the certificate may sign for the repository.
func (v *Verifier) allowed(cert certificate, w *Whitelist, now time.Time) error {
	if v.Blacklist.refusesCertificate(cert.x509.Raw) {
		return ErrBlacklisted
	}
	if !w.lists(cert.x509.Raw) {
		return ErrNotListed
	}
	if w.CAChain {
		return verifyChain(cert.x509, v.CADir, now)
	}
	return nil
}
