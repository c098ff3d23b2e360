package integration

import (
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/readonlytest"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// pattern is the content that readonlytest expects of its large files.
type pattern int64

func (p pattern) Size() int64 { return int64(p) }
func (p pattern) Open() (io.ReadCloser, error) {
	return io.NopCloser(&patternReader{size: int64(p)}), nil
}

type patternReader struct{ off, size int64 }

func (r *patternReader) Read(b []byte) (int, error) {
	n := 0
	for ; n < len(b) && r.off < r.size; n++ {
		b[n] = readonlytest.Pattern(r.off)
		r.off++
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// conformanceRepo publishes the tree of package readonlytest and serves it.
func conformanceRepo(t testing.TB, fqrn string) (*testrepo.Server, *testrepo.Published) {
	t.Helper()
	r := testrepo.New(fqrn)
	r.File(readonlytest.File, readonlytest.FileText)
	r.File(readonlytest.Tool, readonlytest.ToolText, testrepo.Mode(0o755))
	r.File(readonlytest.Big, "", testrepo.Content(pattern(readonlytest.BigSize)), testrepo.Chunked(readonlytest.BigChunk))
	r.File(readonlytest.Whole, "", testrepo.Content(pattern(readonlytest.WholeSize)))
	r.File(readonlytest.Empty, "")
	r.File(readonlytest.Dir+"/"+readonlytest.Inner, "x")
	for i := range readonlytest.ManyCount {
		r.File(readonlytest.Many+"/"+readonlytest.ManyName(i), "x")
	}
	r.Nested(readonlytest.Many)
	r.Symlink(readonlytest.Link, readonlytest.File)
	r.Symlink(readonlytest.Dangling, "nowhere/at/all")
	r.Symlink(readonlytest.Loop, readonlytest.Loop)
	r.File(readonlytest.HardA, "hard")
	r.Hardlink(readonlytest.HardB, readonlytest.HardA)
	r.File(readonlytest.Secret, "s", testrepo.Mode(0))
	pub, err := r.Publish(filepath.Join(testenv.Dir(t), "repo"))
	if err != nil {
		t.Fatal(err)
	}
	return testrepo.Serve(t, pub), pub
}

// TestClientConformance runs the checks of package readonlytest on a mount made in
// each way.
func TestClientConformance(t *testing.T) {
	const fqrn = "conformance.example.org"
	server, pub := conformanceRepo(t, fqrn)
	check := func(t *testing.T, r result) {
		t.Helper()
		if r.code != 0 {
			t.Errorf("%v\n%s", r.err, r.stderr)
		}
		passed := 0
		for line := range strings.Lines(r.stdout) {
			if strings.HasPrefix(line, "FAIL") {
				t.Error(strings.TrimSpace(line))
			} else {
				passed++
			}
		}
		if passed < 40 && r.code == 0 {
			t.Errorf("only %d checks ran", passed)
		}
	}
	bin, tool := testenv.Binary(t, "cvmfs2"), helper(t, "internal/readonlytest/readonlytest")

	t.Run("mount", func(t *testing.T) {
		ns := newClientNS(t)
		c := newClientConf(t, ns.dir, fqrn, server.URL, pub.PublicKeyPEM)
		ns.must(bin, c.args()...)
		check(t, ns.run(tool, c.mountPoint()))
		check(t, ns.run(tool, c.mountPoint()))
		ns.must("umount", c.mountPoint())
	})
	t.Run("single threaded", func(t *testing.T) {
		ns := newClientNS(t)
		c := newClientConf(t, ns.dir, fqrn, server.URL, pub.PublicKeyPEM)
		ns.must(bin, append([]string{"-s"}, c.args("CVMFS_KCACHE_TIMEOUT=0", "CVMFS_CACHE_SYMLINKS=yes")...)...)
		check(t, ns.run(tool, c.mountPoint()))
	})
	t.Run("descriptor", func(t *testing.T) {
		ns := newClientNS(t)
		c := newClientConf(t, ns.dir, fqrn, server.URL, pub.PublicKeyPEM)
		cmd := ns.cmd(helper(t, "internal/fusefd"), c.mountPoint(), "3", bin, "-f", "-o", "config="+c.file(), fqrn, "/dev/fd/3")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait()
		defer cmd.Process.Kill()
		waitMounted(t, ns, c)
		check(t, ns.run(tool, c.mountPoint()))
	})
	t.Run("fusermount", func(t *testing.T) {
		// The helper mounts for an ordinary user in the initial namespace; it wants
		// one that has a name.
		testenv.Needs(t, testenv.DevFuse, testenv.Tool("fusermount3", "fuse3"))
		if _, err := user.LookupId(strconv.Itoa(os.Getuid())); err != nil {
			testenv.Skip(t, "needs a user with a name, for fusermount3: "+err.Error())
		}
		dir := testenv.Dir(t)
		c := newClientConf(t, dir, fqrn, server.URL, pub.PublicKeyPEM)
		as := func(cmd *exec.Cmd) *exec.Cmd {
			if testenv.IsRoot() {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			}
			return cmd
		}
		if testenv.IsRoot() {
			for _, p := range []string{dir, c.mountPoint()} {
				if err := os.Chown(p, nobody, nobody); err != nil {
					t.Fatal(err)
				}
			}
		}
		if r := finish(as(exec.Command(bin, c.args()...))); r.code != 0 {
			t.Fatalf("%+v", r)
		}
		r := finish(as(exec.Command(tool, c.mountPoint())))
		if u := finish(as(exec.Command("fusermount3", "-u", c.mountPoint()))); u.code != 0 {
			t.Errorf("%+v", u)
		}
		check(t, r)
		// A signal unmounts through the helper as well.
		cmd := as(exec.Command(bin, append([]string{"-f"}, c.args()...)...))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(20 * time.Second); len(testenv.Mounts(t, filepath.Base(dir))) == 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no mount")
			}
		}
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("end: %v", err)
		}
		if m := testenv.Mounts(t, filepath.Base(dir)); len(m) != 0 {
			t.Errorf("mounts are left: %q", m)
		}
	})
}

// nobody is a user that every distribution has.
const nobody = 65534

// waitMounted waits until a mount of the configured repository answers.
func waitMounted(t testing.TB, ns *clientNS, c *clientConf) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if strings.Contains(ns.must("cat", "/proc/self/mounts"), " fuse ") && ns.run("stat", "-f", c.mountPoint()).code == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no mount answers")
		}
	}
}
