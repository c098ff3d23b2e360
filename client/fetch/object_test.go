package fetch

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/stratum"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// TestFixtureObjects fetches every object of the fixtures, and again from the cache
// with the server gone.
func TestFixtureObjects(t *testing.T) {
	for _, name := range testrepo.Fixtures() {
		t.Run(name, func(t *testing.T) {
			dir, key, _ := testrepo.Fixture(t, name)
			server, err := testrepo.NewServer()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			server.Add(name, dir)
			s := newSetup(t, name, key, "", nil, server.ConfigURL())
			for round := range 2 {
				n := eachObject(t, dir, func(h object.Hash, suffix object.Suffix, c object.Compression, want []byte) {
					f, err := s.Object(t.Context(), h, suffix, c, int64(len(want)), "object")
					if err != nil {
						t.Errorf("round %d: %v", round, err)
						return
					}
					defer f.Close()
					if !bytes.Equal(bytesOf(t, f), want) {
						t.Errorf("%v: wrong content", h)
					}
				})
				if n < 5 {
					t.Errorf("only %d objects", n)
				}
				server.Close()
			}
			s.leftovers(t)
		})
	}
}

// eachObject calls do with every object below dir and its content, inflated by the
// standard library.
func eachObject(t *testing.T, dir string, do func(object.Hash, object.Suffix, object.Compression, []byte)) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "data"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text := filepath.Base(filepath.Dir(p)) + d.Name()
		var suffix object.Suffix
		if last := text[len(text)-1]; last >= 'A' && last <= 'Z' {
			text, suffix = text[:len(text)-1], object.Suffix(last)
		}
		h, err := object.Parse(text)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		c := object.Stored
		if z, err := zlib.NewReader(bytes.NewReader(data)); err == nil {
			if inflated, err := io.ReadAll(z); err == nil {
				data, c = inflated, object.Zlib
			}
		}
		n++
		do(h, suffix, c, data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestObjectFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault testrepo.HTTPFault
		want  error
	}{
		{"flipped", testrepo.FlipByte(-20), stratum.ErrCorrupt},
		{"cut", testrepo.CutAfter(1000), nil},
		{"short length", testrepo.ContentLength(1000), stratum.ErrCorrupt},
		{"endless", testrepo.Endless(), stratum.ErrCorrupt},
		{"404", testrepo.Status(404), stratum.ErrNotFound},
		{"hang", testrepo.Hang(), stratum.ErrUnreachable},
		{"stop", testrepo.HangAfter(1000), nil},
		{"garbage", testrepo.Garbage(), stratum.ErrUnreachable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pub, server := publish(t)
			o := pub.Objects("big")[0]
			h := hashOf(t, o)
			path := "/" + h.Path(object.File)
			s := newSetup(t, fqrn, pub.PublicKeyPEM, "", impatient, server.ConfigURL())
			server.Inject(path, 1000, tt.fault)
			_, err := s.Object(t.Context(), h, object.File, object.Zlib, 3<<20, "big file")
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			s.leftovers(t)
			if _, _, err := s.cache.Get(h, -1); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something is in the cache: %v", err)
			}
			// Another host, or the same one healed, gives the object.
			other := testrepo.Serve(t, pub)
			s = newSetup(t, fqrn, pub.PublicKeyPEM, "", impatient, server.ConfigURL(), other.ConfigURL())
			f, err := s.Object(t.Context(), h, object.File, object.Zlib, 3<<20, "big file")
			if err != nil || f.Size() != 3<<20 {
				t.Errorf("with a good host: %v", err)
			} else {
				f.Close()
			}
			s.leftovers(t)
		})
	}
}

func TestWrongSizeAndBomb(t *testing.T) {
	pub, server := publish(t)
	h := hashOf(t, pub.Objects("big")[0])
	for _, size := range []int64{0, 1000, 3<<20 - 1, 3<<20 + 1} {
		s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
		if _, err := s.Object(t.Context(), h, object.File, object.Zlib, size, "big file"); !errors.Is(err, stratum.ErrCorrupt) {
			t.Errorf("size %d: %v", size, err)
		}
		s.leftovers(t)
	}
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
	for _, h := range []object.Hash{{}, object.MD5.Sum(nil)} {
		if _, err := s.Object(t.Context(), h, object.File, object.Zlib, 1, "nothing"); !errors.Is(err, object.ErrHash) {
			t.Errorf("%v: %v", h, err)
		}
	}
}

func TestProxyAndDeadHosts(t *testing.T) {
	pub, server := publish(t)
	proxy := testrepo.StartProxy(t)
	dead, err := testrepo.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	h := hashOf(t, pub.Objects("small")[0])
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", func(o *stratum.Options) {
		o.Proxies = dead.URL + "|" + dead.URL + ";" + proxy.URL
	}, dead.ConfigURL(), server.ConfigURL())
	f, err := s.Object(t.Context(), h, object.File, object.Zlib, -1, "small file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if string(bytesOf(t, f)) != "hello, world\n" || proxy.Requests() == 0 {
		t.Errorf("got %q after %d requests of the proxy", bytesOf(t, f), proxy.Requests())
	}
	s = newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, dead.ConfigURL(), dead.ConfigURL())
	if _, err := s.Object(t.Context(), h, object.File, object.Zlib, -1, "small file"); !errors.Is(err, stratum.ErrUnreachable) {
		t.Errorf("all dead: %v", err)
	}
}

func TestDamagedCatalogIsFetchedAgain(t *testing.T) {
	pub, server := publish(t)
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
	h := hashOf(t, pub.Root)
	load := func() []byte {
		f, err := s.LoadCatalog(t.Context(), h, "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return bytesOf(t, f.(*File))
	}
	want := load()
	path := filepath.Join(s.cacheDir, h.String()[:2], h.String()[2:])
	if err := os.WriteFile(path, make([]byte, len(want)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := load(); !bytes.Equal(got, want) {
		t.Error("the damaged catalog was given out")
	}
	if n := server.Requests("/" + h.Path(object.Catalog)); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
	if f, err := s.LoadCatalog(t.Context(), object.SHA1.Sum(nil), "/x"); err == nil || f != nil {
		t.Errorf("an absent catalog: %v, %v", f, err)
	}
}
