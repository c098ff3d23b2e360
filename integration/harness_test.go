// Package integration tests bundles whole: the real stub and client, real mounts,
// real processes and servers on loopback, run as the ordinary user.
package integration

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

func TestMain(m *testing.M) { os.Exit(mainRun(m)) }

func mainRun(m *testing.M) int {
	defer os.RemoveAll(helperDir())
	return testenv.Main(m)
}

// helperDir is where helper programs of the tests are built.
var helperDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "cvmfsbundle-helpers-")
	if err != nil {
		panic(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		panic(err)
	}
	return dir
})

var helpers sync.Map // package path -> func() (string, error)

// helper builds a static main package of the module and returns its path.
func helper(t testing.TB, pkg string) string {
	t.Helper()
	f, _ := helpers.LoadOrStore(pkg, sync.OnceValues(func() (string, error) {
		out := filepath.Join(helperDir(), filepath.Base(pkg))
		cmd := exec.Command("go", "build", "-trimpath", "-tags", "inheritsignals", "-ldflags", "-checklinkname=0", "-o", out, "./"+pkg)
		cmd.Dir, cmd.Env = testenv.Root(), append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return string(text), err
		}
		return out, os.Chmod(out, 0o755)
	}))
	path, err := f.(func() (string, error))()
	if err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, path)
	}
	return path
}

// probe is the static command that most tests run.
func probe(t testing.TB) string { return helper(t, "integration/probe") }

// dist describes a dist tree for a bundle.
type dist struct {
	client string            // program for usr/bin/cvmfs2; "": the built-in client
	files  map[string]string // more files, below dist
}

// bundle is a bundle file in a directory of its own.
type bundle struct {
	t      testing.TB
	path   string
	dir    string // the directory it lies in, the ordinary user's
	marker testenv.Marker
}

// newBundle makes a bundle with the built-in client for repositories of server.
func newBundle(t testing.TB, server *testrepo.Server, pubs map[string][]byte) *bundle {
	t.Helper()
	return packBundle(t, builtinDist(server, pubs))
}

// builtinDist is a dist tree for the built-in client. pubs has the master keys by fqrn.
func builtinDist(server *testrepo.Server, pubs map[string][]byte) dist {
	d := dist{files: map[string]string{
		"etc/cvmfs/default.conf": "CVMFS_CACHE_BASE=/var/lib/cvmfs\nCVMFS_SHARED_CACHE=yes\nCVMFS_CHECK_PERMISSIONS=yes\nCVMFS_CLAIM_OWNERSHIP=yes\n" +
			"CVMFS_KEYS_DIR=/etc/cvmfs/keys\nCVMFS_TIMEOUT=5\nCVMFS_TIMEOUT_DIRECT=10\nCVMFS_MAX_RETRIES=1\nCVMFS_QUOTA_LIMIT=4000\n",
		"etc/cvmfs/default.local": "CVMFS_HTTP_PROXY=DIRECT\nCVMFS_SERVER_URL=" + server.ConfigURL() + "\n",
	}}
	for fqrn, key := range pubs {
		d.files["etc/cvmfs/keys/"+fqrn+".pub"] = string(key)
	}
	return d
}

// packBundle packs a dist tree behind the real stub.
func packBundle(t testing.TB, d dist) *bundle {
	t.Helper()
	dir := testenv.Dir(t)
	b := &bundle{t: t, dir: dir, path: filepath.Join(dir, "cvmfsexec"), marker: testenv.NewMarker()}
	writeBundle(t, d, b.path)
	testenv.Own(t, b.path)
	return b
}

func writeBundle(t testing.TB, d dist, out string) {
	t.Helper()
	tree := t.TempDir()
	client := d.client
	if client == "" {
		client = testenv.Binary(t, "cvmfs2")
	}
	prog, err := os.ReadFile(client)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte, mode os.FileMode) {
		p := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, data, mode); err != nil {
			t.Fatal(err)
		}
	}
	put("usr/bin/cvmfs2", prog, 0o755)
	put(".cvmfsexecdist", []byte("disttype: standard\nmachtype: rhel9-x86_64\nclient: builtin\n"), 0o644)
	for name, text := range d.files {
		put(name, []byte(text), 0o644)
	}
	root, err := os.OpenRoot(tree)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	stub, err := os.Open(testenv.Binary(t, "stub"))
	if err != nil {
		t.Fatal(err)
	}
	defer stub.Close()
	f, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = payload.Write(context.Background(), f, payload.Source{Dist: root, Stub: stub},
		payload.Meta{Kind: payload.Cvmfsexec, Profile: "none", Machine: "rhel9-x86_64", Client: payload.Builtin})
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(out, 0o755); err != nil {
		t.Fatal(err)
	}
}

// cmd is a run of the bundle as the ordinary user, with an empty PATH and next to no
// environment. Its processes carry the bundle's marker.
func (b *bundle) cmd(args ...string) *exec.Cmd {
	cmd := testenv.As(exec.Command(b.path, args...))
	cmd.Env = []string{b.marker.Env(), "PATH="}
	cmd.Dir = "/"
	return cmd
}

// result is how a run ended.
type result struct {
	stdout, stderr string
	code           int // -1: by a signal
	err            error
}

// run runs the bundle to its end and checks that no process is left.
func (b *bundle) run(args ...string) result {
	b.t.Helper()
	return b.finish(b.cmd(args...))
}

func (b *bundle) finish(cmd *exec.Cmd) result {
	b.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 30 * time.Second
	err := cmd.Run()
	r := result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), err}
	b.gone(5 * time.Second)
	return r
}

// pids returns the living processes of the bundle: those that inherited its marker,
// and those whose program lies in its directory (init has no environment).
func (b *bundle) pids() []int {
	found := map[int]bool{}
	for _, pid := range b.marker.PIDs() {
		found[pid] = true
	}
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, b.dir+"/") {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
				found[pid] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// gone waits for every process of the bundle to end, fails the test when one is left,
// and when a mount of the bundle shows on the host.
func (b *bundle) gone(limit time.Duration) {
	b.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		pids := b.pids()
		if len(pids) == 0 {
			break
		}
		if time.Now().After(deadline) {
			for _, pid := range pids {
				cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
				stack, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
				b.t.Errorf("process %d is left: %q, in %s\n%s", pid, cmd, stack, status[:min(len(status), 300)])
				syscall.Kill(pid, syscall.SIGKILL)
			}
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if left := testenv.Mounts(b.t, b.dir); len(left) > 0 {
		b.t.Errorf("mounts are left: %q", left)
	}
}

// must runs the bundle, which has to succeed, and returns what it wrote.
func (b *bundle) must(args ...string) string {
	b.t.Helper()
	r := b.run(args...)
	if r.code != 0 {
		b.t.Fatalf("%q: %v\nstdout: %s\nstderr: %s", args, r.err, r.stdout, r.stderr)
	}
	return r.stdout
}

// needsMode3 skips the test where mode 3 cannot work.
func needsMode3(t testing.TB) {
	t.Helper()
	testenv.Needs(t, testenv.UserNS, testenv.DevFuse)
}

// published makes a small signed repository, served on loopback.
func published(t testing.TB, fqrn string) (*testrepo.Server, map[string][]byte) {
	t.Helper()
	r := testrepo.New(fqrn)
	r.File("README", "hello from "+fqrn+"\n")
	r.Dir("dir")
	r.File("dir/data", strings.Repeat("0123456789abcdef", 1<<14))
	p, err := r.Publish(filepath.Join(t.TempDir(), "repo"))
	if err != nil {
		t.Fatal(err)
	}
	return testrepo.Serve(t, p), map[string][]byte{fqrn: p.PublicKeyPEM}
}

// quick is a bundle for tests that need one mounted repository.
func quick(t testing.TB) (*bundle, string) {
	t.Helper()
	needsMode3(t)
	const fqrn = "quick.example.org"
	server, keys := published(t, fqrn)
	return newBundle(t, server, keys), fqrn
}

func trim(s string) string { return strings.TrimRight(s, "\n") }
