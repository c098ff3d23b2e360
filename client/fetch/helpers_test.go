package fetch

import (
	"io"
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
		FQRN: name, Hosts: hosts, Proxies: "DIRECT", Timeout: time.Minute, TimeoutDirect: time.Minute, LowSpeedLimit: 1024,
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

// impatient makes a client leave a server that says nothing soon.
func impatient(o *stratum.Options) { o.TimeoutDirect = time.Second }

// leftovers fails the test when unfinished objects lie in the cache, or files of it
// are open.
func (s setup) leftovers(t testing.TB) {
	t.Helper()
	s.Close()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, s.cacheDir+"/") {
			t.Errorf("still open: %s", to)
		}
	}
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

// publish serves a small repository. One without faults is published once.
func publish(t testing.TB, broken ...testrepo.Break) (*testrepo.Published, *testrepo.Server) {
	t.Helper()
	var pub *testrepo.Published
	var err error
	if len(broken) == 0 {
		pub, err = plain()
	} else {
		pub, err = describe().Publish(t.TempDir(), broken...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pub, testrepo.Serve(t, pub)
}

func describe() *testrepo.Repo {
	r := testrepo.New(fqrn)
	r.File("small", "hello, world\n")
	r.File("big", "", testrepo.Content(testrepo.Random(1, 3<<20)))
	r.Nested("sub")
	r.File("sub/file", "in a nested catalog\n")
	return r
}

// plainDir holds the repository without faults.
var plainDir string

var plain = sync.OnceValues(func() (*testrepo.Published, error) { return describe().Publish(plainDir) })

func TestMain(m *testing.M) {
	var err error
	if plainDir, err = os.MkdirTemp("", "cvmfsbundle-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(plainDir)
	os.Exit(code)
}

func hashOf(t testing.TB, o testrepo.Object) object.Hash {
	t.Helper()
	h, err := object.Parse(o.Hash)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
