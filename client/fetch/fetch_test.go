package fetch

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/cache"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/stratum"
	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

const fqrn = "test.example.org"

// setup is a fetcher and what it is made of.
type setup struct {
	*Fetcher
	cacheDir string
}

// newSetup makes a fetcher for a repository on the given hosts.
func newSetup(t testing.TB, name string, keyPEM []byte, cacheDir string, change func(*stratum.Options), hosts ...string) setup {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(key, keyPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := trust.LoadKeys([]string{key})
	if err != nil {
		t.Fatal(err)
	}
	o := stratum.Options{
		FQRN: name, Hosts: hosts, Proxies: "DIRECT", Timeout: 300 * time.Millisecond, TimeoutDirect: 300 * time.Millisecond, LowSpeedLimit: 1024,
	}
	if change != nil {
		change(&o)
	}
	client, err := stratum.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if cacheDir == "" {
		cacheDir = filepath.Join(t.TempDir(), "cache")
	}
	c, err := cache.Open(cache.Options{Dir: cacheDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	f := New(Options{Stratum: client, Cache: c, Verifier: &trust.Verifier{Name: name, Keys: keys, Now: func() time.Time { return now }}})
	t.Cleanup(f.Close)
	return setup{f, cacheDir}
}

// leftovers fails the test when unfinished objects lie in the cache.
func (s setup) leftovers(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.cacheDir, "txn"))
	if err != nil || len(entries) != 0 {
		t.Errorf("unfinished objects are left: %v, %v", entries, err)
	}
}

func bytesOf(t testing.TB, f *File) []byte {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// publish makes a small repository and serves it.
func publish(t testing.TB, broken ...testrepo.Break) (*testrepo.Published, *testrepo.Server) {
	t.Helper()
	r := testrepo.New(fqrn)
	r.File("small", "hello, world\n")
	r.File("big", "", testrepo.Content(testrepo.Random(1, 3<<20)))
	r.Nested("sub")
	r.File("sub/file", "in a nested catalog\n")
	pub, err := r.Publish(t.TempDir(), broken...)
	if err != nil {
		t.Fatal(err)
	}
	return pub, testrepo.Serve(t, pub)
}

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

func hashOf(t testing.TB, o testrepo.Object) object.Hash {
	t.Helper()
	h, err := object.Parse(o.Hash)
	if err != nil {
		t.Fatal(err)
	}
	return h
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
			s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
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
			s = newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL(), other.ConfigURL())
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

func TestMerge(t *testing.T) {
	pub, server := publish(t)
	h := hashOf(t, pub.Objects("big")[0])
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", func(o *stratum.Options) { o.TimeoutDirect = time.Hour }, server.ConfigURL())
	gate := make(chan struct{})
	server.Inject("/"+h.Path(object.File), 1, testrepo.Until(gate))
	var wg sync.WaitGroup
	const n = 50
	gone, cancel := context.WithCancel(t.Context())
	for i := range n {
		wg.Go(func() {
			ctx := t.Context()
			if i%2 == 0 {
				ctx = gone
			}
			f, err := s.Object(ctx, h, object.File, object.Zlib, 3<<20, "big file")
			if i%2 == 0 {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("canceled: %v", err)
				}
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if object.SHA1.Sum(bytesOf(t, f)).IsNull() || f.Size() != 3<<20 {
				t.Error("wrong content")
			}
		})
	}
	waitFor(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, fl := range s.flights {
			return fl.waiters == n
		}
		return false
	})
	cancel()
	waitFor(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, fl := range s.flights {
			return fl.waiters == n/2
		}
		return false
	})
	close(gate)
	wg.Wait()
	if got := server.Requests("/" + h.Path(object.File)); got != 1 {
		t.Errorf("%d requests for %d readers, want 1", got, n)
	}
	if len(s.flights) != 0 {
		t.Errorf("%d downloads are still known", len(s.flights))
	}
}

// waitFor waits for something that happens soon.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for !ok() {
		if t.Context().Err() != nil {
			t.Fatal("it does not happen")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestDesertedDownloadEnds(t *testing.T) {
	pub, server := publish(t)
	h := hashOf(t, pub.Objects("big")[0])
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", func(o *stratum.Options) { o.TimeoutDirect = time.Hour }, server.ConfigURL())
	server.Inject("/"+h.Path(object.File), 1, testrepo.HangAfter(1000))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Object(ctx, h, object.File, object.Zlib, -1, "big file")
		done <- err
	}()
	waitFor(t, func() bool { return server.Requests("/"+h.Path(object.File)) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.Close() // returns because the download was ended
	s.leftovers(t)
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

// TestUnwritableCache takes the cache away while it is in use.
func TestUnwritableCache(t *testing.T) {
	pub, server := publish(t)
	small, big := hashOf(t, pub.Objects("small")[0]), hashOf(t, pub.Objects("big")[0])
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
	if err := os.RemoveAll(s.cacheDir); err != nil {
		t.Fatal(err)
	}
	s.spill.free = 1 << 20 // the big file goes to a temporary file
	t.Setenv("TMPDIR", testenv.Dir(t))
	for h, size := range map[object.Hash]int64{small: 13, big: 3 << 20} {
		for _, known := range []int64{size, -1} {
			if h == big && known < 0 {
				continue
			}
			f, err := s.Object(t.Context(), h, object.File, object.Zlib, known, "file")
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if f.Size() != size || int64(len(bytesOf(t, f))) != size {
				t.Errorf("%d bytes: wrong content", size)
			}
			if h == small && s.spill.free != 1<<20-13 {
				t.Errorf("memory left while the file is open: %d", s.spill.free)
			}
			f.Close()
			f.Close()
			if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
				t.Errorf("read after close: %v", err)
			}
		}
	}
	if _, err := s.Object(t.Context(), big, object.File, object.Zlib, -1, "file"); !errors.Is(err, errNoSpace) {
		t.Errorf("too much for memory: %v", err)
	}
	if s.spill.free != 1<<20 {
		t.Errorf("memory left at the end: %d", s.spill.free)
	}
}

func BenchmarkObject(b *testing.B) {
	r := testrepo.New(fqrn)
	text := strings.Repeat("some text that compresses well enough, line after line\n", 1<<15)
	r.File("text", text)
	r.File("random", "", testrepo.Content(testrepo.Random(1, 16<<20)))
	pub, err := r.Publish(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	server := testrepo.Serve(b, pub)
	for _, name := range []string{"text", "random"} {
		b.Run(name, func(b *testing.B) {
			s := newSetup(b, fqrn, pub.PublicKeyPEM, "", func(o *stratum.Options) { o.TimeoutDirect = time.Minute }, server.ConfigURL())
			h := hashOf(b, pub.Objects(name)[0])
			b.ReportAllocs()
			for b.Loop() {
				if err := s.cache.Remove(h); err != nil {
					b.Fatal(err)
				}
				f, err := s.Object(b.Context(), h, object.File, object.Zlib, -1, "file")
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(f.Size())
				f.Close()
			}
		})
	}
	b.Run("cached", func(b *testing.B) {
		s := newSetup(b, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
		h := hashOf(b, pub.Objects("text")[0])
		b.ReportAllocs()
		for b.Loop() {
			f, err := s.Object(b.Context(), h, object.File, object.Zlib, int64(len(text)), "file")
			if err != nil {
				b.Fatal(err)
			}
			f.Close()
		}
	})
}
