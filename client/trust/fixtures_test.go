package trust

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// served is a repository's tree on disk; the fields replace what lies there.
type served struct {
	dir       string
	whitelist []byte
}

func (s served) Certificate(_ context.Context, h object.Hash, _ bool) ([]byte, error) {
	f, err := os.Open(filepath.Join(s.dir, h.Path(object.Certificate)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	_, err = object.Copy(&b, f, object.Spec{Hash: h, Limit: MaxSize})
	return b.Bytes(), err
}

func (s served) Whitelist(context.Context) ([]byte, error) { return s.whitelist, nil }

// TestFixtures verifies repositories that the real server tools made, and refuses
// them with any byte of manifest or whitelist changed, lost or added.
func TestFixtures(t *testing.T) {
	for _, name := range []string{"small.example.org", "shake.example.org", "cfg.example.org"} {
		t.Run(name, func(t *testing.T) {
			archive := filepath.Join(testenv.Root(), "testdata/repos", name+".tar.zst")
			dir := t.TempDir()
			testenv.Untar(t, archive, dir)
			if _, err := os.Stat(filepath.Join(dir, ".cvmfspublished")); err != nil {
				dir = filepath.Join(dir, name)
			}
			read := func(file string) []byte {
				data, err := os.ReadFile(filepath.Join(dir, file))
				if err != nil {
					t.Fatal(err)
				}
				return data
			}
			manifest, whitelist := read(".cvmfspublished"), read(".cvmfswhitelist")
			keys, err := LoadKeys([]string{filepath.Join(testenv.Root(), "testdata/repos", name+".pub")})
			if err != nil {
				t.Fatal(err)
			}
			v := &Verifier{Name: name, Keys: keys, Now: func() time.Time { return now }}
			m, err := v.Manifest(t.Context(), manifest, Breadcrumb{}, served{dir, whitelist})
			if err != nil {
				t.Fatal(err)
			}
			if m.Name != name || m.Revision == 0 {
				t.Errorf("manifest is %+v", m)
			}
			check := func(what string, i int, manifest, whitelist []byte) {
				if _, err := v.Manifest(t.Context(), manifest, Breadcrumb{}, served{dir, whitelist}); err == nil {
					t.Errorf("%s with byte %d changed was accepted", what, i)
				} else if !errors.Is(err, ErrRefused) && !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s with byte %d changed: %v", what, i, err)
				}
			}
			forms := []func(b []byte, i int) []byte{
				func(b []byte, i int) []byte { b[i] ^= 1; return b },
				func(b []byte, i int) []byte { b[i] ^= 0x80; return b },
				func(b []byte, i int) []byte { return append(b[:i], b[i+1:]...) },
				func(b []byte, i int) []byte { return append(b[:i+1], b[i:]...) },
				func(b []byte, i int) []byte { return b[:i] },
			}
			for _, form := range forms {
				for i := range manifest {
					check("manifest", i, form(bytes.Clone(manifest), i), whitelist)
				}
				for i := range whitelist {
					check("whitelist", i, manifest, form(bytes.Clone(whitelist), i))
				}
			}
			v.Now = func() time.Time { return now.AddDate(20, 0, 0) }
			if _, err := v.Manifest(t.Context(), manifest, Breadcrumb{}, served{dir, whitelist}); !errors.Is(err, ErrWhitelistExpired) {
				t.Errorf("in 2046: %v, want %v", err, ErrWhitelistExpired)
			}
		})
	}
}
