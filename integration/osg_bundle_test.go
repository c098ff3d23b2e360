package integration

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmtest"
	"github.com/cvmfsbundle/cvmfsbundle/internal/standin"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// Repositories of the tests with upstream's client.
const (
	osgConfig = "config-osg.opensciencegrid.org"
	osgRepo   = "atlas.cern.ch"
)

// osgFile is the bundle that all tests of this file's kind copy.
var osgFile struct {
	sync.Mutex
	path string
}

// osgBundle is a bundle of profile osg with its default client, built from RPMs by the
// builder, in a directory whose name has blanks. The client is a stand-in.
func osgBundle(t testing.TB) *bundle {
	t.Helper()
	needsMode3(t)
	testenv.Needs(t, append(standin.Needs(), rpmtest.Tools...)...)
	if runtime.GOARCH != "amd64" {
		testenv.Skip(t, "the RPMs of "+standin.Machine+" hold programs for amd64")
	}
	osgFile.Lock()
	defer osgFile.Unlock()
	if osgFile.path == "" {
		osgFile.path = buildOSG(t)
	}
	dir := filepath.Join(testenv.Dir(t), "a directory with  blanks")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := &bundle{t: t, dir: dir, path: filepath.Join(dir, "cvmfs exec"), marker: testenv.NewMarker()}
	copyFile(t, osgFile.path, b.path)
	testenv.Own(t, dir, b.path)
	limit := time.AfterFunc(time.Duration(testenv.Count(3, 20))*time.Minute, func() {
		t.Errorf("the runs take too long: ended")
		for _, pid := range b.pids() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	t.Cleanup(func() { limit.Stop() })
	return b
}

// buildOSG builds the bundle: cvmfsbundle build, with repositories on loopback.
func buildOSG(t testing.TB) string {
	t.Helper()
	dir := testenv.Dir(t)
	args := []string{"build", "-profile", "osg", "-machine", standin.Machine}
	for _, m := range standin.Serve(t, dir) {
		args = append(args, "-mirror", m)
	}
	out := filepath.Join(helperDir(), "osg")
	args = append(args, "-set", "CVMFS_STANDIN_ROOT=/etc/cvmfs/standin", "-o", filepath.Join(dir, "out"))
	cmd := testenv.As(exec.Command(testenv.Binary(t, "cvmfsbundle"), args...))
	cmd.Env = []string{"HOME=" + dir, "PATH="}
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cvmfsbundle %q: %v\n%s", args, err, text)
	}
	copyFile(t, filepath.Join(dir, "out"), out)
	return out
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		t.Fatal(err)
	}
}

// osgCat returns a file below /cvmfs/repo as the command of a run reads it.
func (b *bundle) osgCat(repo, name string) string {
	b.t.Helper()
	return b.must(repo, "--", "/bin/cat", "/cvmfs/"+repo+"/"+name)
}

// osgShell is a run whose command is a shell that does what is written to it.
type osgShell struct {
	b   *bundle
	cmd *exec.Cmd
	in  io.WriteCloser
	out *osgOutput
}

// osgShell starts a run with a shell. It is killed at the end of the test at the latest.
func (b *bundle) osgShell(args ...string) *osgShell {
	b.t.Helper()
	s := &osgShell{b: b, cmd: b.cmd(append(args, "--", "/bin/sh")...), out: newOSGOutput()}
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		b.t.Fatal(err)
	}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { s.cmd.Process.Kill(); s.cmd.Wait() })
	return s
}

// do has the shell do something and returns what was written until it was done.
func (s *osgShell) do(script string) string {
	s.b.t.Helper()
	const end = "--- done"
	io.WriteString(s.in, script+"\necho '"+end+"'\n")
	text, ok := s.out.until(end, time.Minute)
	if !ok {
		s.b.t.Fatalf("%q was not done within a minute; written so far: %q", script, text)
	}
	return text
}

// end ends the shell and with it the run.
func (s *osgShell) end() {
	s.b.t.Helper()
	s.in.Close()
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	if !waitFor(done, 30*time.Second) {
		s.b.t.Error("the run does not end")
		s.cmd.Process.Kill()
	}
	s.b.gone(5 * time.Second)
}
