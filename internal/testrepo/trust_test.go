package testrepo_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// tree gives the client's verifier what lies in a published tree.
type tree struct{ dir string }

func (s tree) Certificate(_ context.Context, h object.Hash, _ bool) ([]byte, error) {
	f, err := os.Open(filepath.Join(s.dir, h.Path(object.Certificate)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	_, err = object.Copy(&b, f, object.Spec{Hash: h, Limit: 1 << 20})
	return b.Bytes(), err
}

func (s tree) Whitelist(context.Context) ([]byte, error) {
	return os.ReadFile(filepath.Join(s.dir, ".cvmfswhitelist"))
}

// verify publishes a small repository and lets the client's verifier judge it.
func verify(t *testing.T, r *testrepo.Repo, broken ...testrepo.Break) (*trust.Manifest, error) {
	t.Helper()
	r.File("f", "content")
	p, err := r.Publish(t.TempDir(), broken...)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(keyFile, p.PublicKeyPEM, 0o644); err != nil {
		t.Fatal(err)
	}
	keys, err := trust.LoadKeys([]string{keyFile})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(p.Dir, ".cvmfspublished"))
	if err != nil {
		t.Fatal(err)
	}
	v := &trust.Verifier{Name: r.FQRN, Keys: keys}
	m, err := v.Manifest(t.Context(), data, trust.Breadcrumb{}, tree{p.Dir})
	if err == nil && m.RootCatalog.String() != p.Root.Hash {
		t.Errorf("root catalog %s, published %s", m.RootCatalog, p.Root.Hash)
	}
	return m, err
}

func TestClientTrustsWhatIsRight(t *testing.T) {
	for _, algo := range []testrepo.Algorithm{testrepo.SHA1, testrepo.RIPEMD160, testrepo.SHAKE128} {
		r := testrepo.New("ok.example.org")
		r.Hash, r.Revision = algo, 7
		m, err := verify(t, r)
		if err != nil {
			t.Errorf("algorithm %d: %v", algo, err)
			continue
		}
		if m.Revision != 7 || m.Name != "ok.example.org" {
			t.Errorf("manifest is %+v", m)
		}
	}
}

func TestClientRefusesWhatIsBroken(t *testing.T) {
	for name, tt := range map[string]struct {
		broken testrepo.Break
		want   error
	}{
		"manifest signature":  {testrepo.WrongManifestSignature(), trust.ErrBadSignature},
		"manifest name":       {testrepo.ManifestField('N', "evil.example.org"), trust.ErrName},
		"manifest root path":  {testrepo.ManifestField('R', "00000000000000000000000000000000"), trust.ErrRootPath},
		"manifest without C":  {testrepo.WithoutManifestField('C'), trust.ErrIncomplete},
		"manifest without X":  {testrepo.WithoutManifestField('X'), trust.ErrRefused},
		"manifest flipped":    {testrepo.HarmFile(".cvmfspublished", testrepo.Flip), trust.ErrRefused},
		"manifest cut":        {testrepo.HarmFile(".cvmfspublished", testrepo.Truncate), trust.ErrRefused},
		"manifest empty":      {testrepo.HarmFile(".cvmfspublished", testrepo.Empty), trust.ErrRefused},
		"whitelist signature": {testrepo.WrongWhitelistSignature(), trust.ErrWhitelistSignature},
		"whitelist expired":   {testrepo.ExpiredWhitelist(), trust.ErrWhitelistExpired},
		"whitelist name":      {testrepo.WhitelistName("evil.example.org"), trust.ErrWhitelistName},
		"not listed":          {testrepo.CertificateNotListed(), trust.ErrNotListed},
		"no fingerprints":     {testrepo.WhitelistFingerprints(), trust.ErrRefused},
		"certificate flipped": {testrepo.HarmCertificate(testrepo.Flip), nil},
		"certificate missing": {testrepo.HarmCertificate(testrepo.Missing), os.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verify(t, testrepo.New("bad.example.org"), tt.broken)
			if err == nil {
				t.Fatal("accepted")
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
