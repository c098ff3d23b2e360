package trust

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

type fuzzSources struct{ cert, whitelist []byte }

func (s fuzzSources) Certificate(context.Context, object.Hash, bool) ([]byte, error) {
	return s.cert, nil
}
func (s fuzzSources) Whitelist(context.Context) ([]byte, error) { return s.whitelist, nil }

// FuzzManifest: nothing but the one signed manifest is accepted.
func FuzzManifest(f *testing.F) {
	g := newForge(f)
	good := string(g.manifestBytes(f))
	f.Add([]byte(good))
	f.Add([]byte("C\n--\nx\n"))
	src := fuzzSources{g.cert, g.whitelistBytes(f)}
	v := g.verifier()
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := v.Manifest(t.Context(), data, Breadcrumb{}, src)
		if (err == nil) != (string(data) == good) {
			t.Fatalf("accepted %q: %v", data, err)
		}
		if err == nil && m.RootCatalog.IsNull() || err != nil && !errors.Is(err, ErrRefused) {
			t.Fatalf("%+v, %v", m, err)
		}
	})
}

// FuzzWhitelist: nothing but the one signed whitelist is accepted.
func FuzzWhitelist(f *testing.F) {
	g := newForge(f)
	good := string(g.whitelistBytes(f))
	f.Add([]byte(good))
	f.Add([]byte("20260701000000\nE20260801120000\nNx\n--\nx\n"))
	manifest := g.manifestBytes(f)
	v := g.verifier()
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := v.Manifest(t.Context(), manifest, Breadcrumb{}, fuzzSources{g.cert, data})
		if (err == nil) != (string(data) == good) {
			t.Fatalf("accepted %q: %v", data, err)
		}
	})
}

// FuzzText: parsers without a signature to pass.
func FuzzText(f *testing.F) {
	g := newForge(f)
	f.Add(g.manifest)
	f.Add(g.whitelist)
	f.Add("abababababababababababababababababababababT1752580000R7")
	f.Add(string(g.cert))
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := ParseBreadcrumb(text); err == nil {
			if again, err := ParseBreadcrumb(b.String()); err != nil || again != b {
				t.Fatalf("%q read as %v, which reads as %v, %v", text, b, again, err)
			}
		}
		new(Blacklist).Add([]byte(text))
		parseKey([]byte(text))
		parseCertificate([]byte(text))
		signed := text + "--\n" + object.SHA1.Sum([]byte(text)).String() + "\nsignature"
		if m, err := ParseManifest([]byte(signed)); err == nil && (m.RootSize < 0 || m.TTL < 0 || m.Published.Before(time.Time{})) {
			t.Fatalf("%q: %+v", text, m)
		}
		if w, err := ParseWhitelist([]byte(signed)); err == nil && w.Name == "" {
			t.Fatalf("%q: %+v", text, w)
		}
	})
}
