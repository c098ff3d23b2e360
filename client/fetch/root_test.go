package fetch

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/stratum"
	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

func TestManifest(t *testing.T) {
	pub, server := publish(t)
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
	m, err := s.Manifest(t.Context(), trust.Breadcrumb{})
	if err != nil {
		t.Fatal(err)
	}
	if m.RootCatalog != hashOf(t, pub.Root) || m.Revision != pub.Revision {
		t.Errorf("manifest is %+v", m)
	}
	if !m.Metainfo.IsNull() {
		if data, err := s.Metainfo(t.Context(), m.Metainfo); err != nil || len(data) == 0 {
			t.Errorf("metainfo: %q, %v", data, err)
		}
	}
	// The certificate comes from the cache the second time.
	if _, err := s.Manifest(t.Context(), trust.Breadcrumb{}); err != nil {
		t.Fatal(err)
	}
	if n := server.Requests("X"); n != 1 {
		t.Errorf("the certificate was asked for %d times", n)
	}
	s.leftovers(t)
	server.ResetCounts()
	m, err = s.Manifest(t.Context(), trust.Breadcrumb{Root: m.RootCatalog, Published: m.Published, Revision: m.Revision})
	if err != nil || !m.Known || server.Requests("/.cvmfswhitelist") != 0 {
		t.Errorf("known root: %+v, %v", m, err)
	}
}

func TestManifestOfAnotherHost(t *testing.T) {
	good, goodServer := publish(t)
	for name, b := range map[string]testrepo.Break{
		"signature":  testrepo.WrongManifestSignature(),
		"whitelist":  testrepo.WrongWhitelistSignature(),
		"expired":    testrepo.ExpiredWhitelist(),
		"incomplete": testrepo.WithoutManifestField('C'),
	} {
		t.Run(name, func(t *testing.T) {
			_, badServer := publish(t, b)
			s := newSetup(t, fqrn, good.PublicKeyPEM, "", nil, badServer.ConfigURL(), goodServer.ConfigURL())
			if _, err := s.Manifest(t.Context(), trust.Breadcrumb{}); err != nil {
				t.Errorf("with a good host: %v", err)
			}
			s = newSetup(t, fqrn, good.PublicKeyPEM, "", nil, badServer.ConfigURL())
			if _, err := s.Manifest(t.Context(), trust.Breadcrumb{}); !errors.Is(err, trust.ErrRefused) || errors.Is(err, stratum.ErrUnreachable) {
				t.Errorf("alone: %v", err)
			}
		})
	}
	t.Run("whitelist missing", func(t *testing.T) {
		pub, server := publish(t)
		server.Inject("/.cvmfswhitelist", 1000, testrepo.Status(404))
		s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
		if _, err := s.Manifest(t.Context(), trust.Breadcrumb{}); !errors.Is(err, stratum.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("not listed", func(t *testing.T) {
		_, badServer := publish(t, testrepo.CertificateNotListed())
		s := newSetup(t, fqrn, good.PublicKeyPEM, "", nil, badServer.ConfigURL(), goodServer.ConfigURL())
		if _, err := s.Manifest(t.Context(), trust.Breadcrumb{}); !errors.Is(err, trust.ErrInvalidCertificate) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRoot(t *testing.T) {
	pub, server := publish(t)
	h := hashOf(t, pub.Root)
	at := func(revision uint64, root object.Hash) trust.Breadcrumb {
		return trust.Breadcrumb{Root: root, Published: pub.Time.Add(-time.Hour), Revision: revision}
	}
	other := object.SHA1.Sum([]byte("other"))
	for _, tt := range []struct {
		name     string
		kept     trust.Breadcrumb // by the cache
		mounted  trust.Breadcrumb
		down     bool
		wantRoot object.Hash
		offline  bool
	}{
		{name: "first", wantRoot: h},
		{name: "older kept", kept: at(0, other), wantRoot: h},
		{name: "same kept", kept: at(pub.Revision, h), wantRoot: h},
		{name: "server is behind", kept: at(pub.Revision+5, other), wantRoot: other, offline: true},
		{name: "no server, kept", kept: at(3, other), down: true, wantRoot: other, offline: true},
		{name: "no server, mounted is newer", kept: at(3, h), mounted: at(4, other), down: true, wantRoot: other, offline: true},
		{name: "no server, kept is newer", kept: at(5, h), mounted: at(4, other), down: true, wantRoot: h, offline: true},
		{name: "no server, nothing", down: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := server.ConfigURL()
			if tt.down {
				gone, err := testrepo.NewServer()
				if err != nil {
					t.Fatal(err)
				}
				gone.Close()
				host = gone.ConfigURL()
			}
			s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, host)
			if !tt.kept.IsZero() {
				if err := s.Remember(tt.kept); err != nil {
					t.Fatal(err)
				}
			}
			root, err := s.Root(t.Context(), tt.mounted)
			if tt.wantRoot.IsNull() {
				if !errors.Is(err, stratum.ErrUnreachable) {
					t.Errorf("got %+v, %v", root, err)
				}
				return
			}
			if err != nil || root.Root != tt.wantRoot || root.Offline != tt.offline || root.Offline != (root.Manifest == nil) {
				t.Errorf("got %+v, %v", root, err)
			}
		})
	}
}

func TestRootBlacklisted(t *testing.T) {
	pub, server := publish(t)
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
	s.verifier.Blacklist = new(trust.Blacklist)
	s.verifier.Blacklist.Add([]byte("<" + fqrn + " 1000\n"))
	if _, err := s.Root(t.Context(), trust.Breadcrumb{}); !errors.Is(err, trust.ErrRevisionBlacklisted) {
		t.Errorf("got %v", err)
	}
	// An older state that is refused is nothing to go back to.
	r := describe()
	r.Revision = 1000
	newer, err := r.Publish(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s2 := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, testrepo.Serve(t, newer).ConfigURL())
	s2.verifier.Blacklist = s.verifier.Blacklist
	if err := s2.Remember(trust.Breadcrumb{Root: hashOf(t, pub.Root), Published: pub.Time.Add(-time.Hour), Revision: 999}); err != nil {
		t.Fatal(err)
	}
	if root, err := s2.Root(t.Context(), trust.Breadcrumb{}); err != nil || root.Revision != 1000 || !root.Local.IsZero() {
		t.Errorf("got %+v, %v", root, err)
	}
}

func TestDamagedBreadcrumbIsNoObstacle(t *testing.T) {
	pub, server := publish(t)
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
	if err := os.WriteFile(filepath.Join(s.cacheDir, "cvmfschecksum."+fqrn), []byte("\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if root, err := s.Root(t.Context(), trust.Breadcrumb{}); err != nil || root.Root != hashOf(t, pub.Root) {
		t.Errorf("got %+v, %v", root, err)
	}
}
