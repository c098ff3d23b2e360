package testrepo

import (
	"crypto/rsa"
	"time"
)

// A Break makes one thing of a publication wrong. Everything else stays right: what
// depends on the broken part is hashed and signed over it, unless the Break says
// otherwise.
type Break func(*publication)

// breaks is what the Breaks of a publication ask for.
type breaks struct {
	manifestEdits             []func(*manifest)
	whitelistEdits            []func(*whitelist)
	manifestKey, whitelistKey *rsa.PrivateKey
	rows                      map[string]func(*row)
	content                   map[string]Source
	statements                map[string][]string
	catalogEdits              map[string][]func(*publication, []byte) ([]byte, error)
	catalogTail               map[string]Source
	after                     []func(*Published) error
}

func newBreaks() breaks {
	return breaks{
		rows: map[string]func(*row){}, content: map[string]Source{}, statements: map[string][]string{},
		catalogEdits: map[string][]func(*publication, []byte) ([]byte, error){}, catalogTail: map[string]Source{},
	}
}

// absolute returns path as catalogs write it.
func absolute(path string) string {
	if path = clean(path); path == "" {
		return ""
	}
	return "/" + path
}

// ManifestField sets a field of the manifest, which is signed with it: C root hash,
// R root path hash, S revision, N name, X certificate ...
func ManifestField(letter byte, value string) Break {
	return func(p *publication) {
		p.manifestEdits = append(p.manifestEdits, func(m *manifest) { m.set(letter, value) })
	}
}

// WithoutManifestField leaves a field out.
func WithoutManifestField(letter byte) Break {
	return func(p *publication) {
		p.manifestEdits = append(p.manifestEdits, func(m *manifest) { m.drop(letter) })
	}
}

// WrongManifestSignature signs the manifest with a key that is not the certificate's.
func WrongManifestSignature() Break {
	return func(p *publication) { p.manifestKey = p.repo.Keys.Master }
}

// WrongWhitelistSignature signs the whitelist with a key that is not the master key.
func WrongWhitelistSignature() Break {
	return func(p *publication) { p.whitelistKey = p.repo.Keys.Certificate }
}

// ExpiredWhitelist makes the whitelist end in 2020.
func ExpiredWhitelist() Break { return WhitelistExpires(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) }

// WhitelistExpires makes the whitelist end at t.
func WhitelistExpires(t time.Time) Break {
	return editWhitelist(func(w *whitelist) { w.expires = t })
}

// WhitelistName makes the whitelist one of another repository.
func WhitelistName(fqrn string) Break {
	return editWhitelist(func(w *whitelist) { w.fqrn = fqrn })
}

// WhitelistFlags adds lines before the fingerprints: "Vpkcs7", "Wcachain".
func WhitelistFlags(lines ...string) Break {
	return editWhitelist(func(w *whitelist) { w.flags = append(w.flags, lines...) })
}

// WhitelistFingerprints replaces the list of certificates.
func WhitelistFingerprints(lines ...string) Break {
	return editWhitelist(func(w *whitelist) { w.fingerprints = lines })
}

// CertificateNotListed lists another certificate than the one that is used.
func CertificateNotListed() Break {
	return editWhitelist(func(w *whitelist) {
		for i, f := range w.fingerprints {
			w.fingerprints[i] = "00:11:22:33" + f[11:]
		}
	})
}

func editWhitelist(edit func(*whitelist)) Break {
	return func(p *publication) { p.whitelistEdits = append(p.whitelistEdits, edit) }
}
