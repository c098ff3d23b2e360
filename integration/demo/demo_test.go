package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cvmfsbundle-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	binDir = dir
	return testenv.Main(m)
}

// binDir is where the demo is built, a directory that anybody can read.
var binDir string

// built is the demo as make builds it.
var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binDir, "demo")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return path, nil
})

// demoRun is one run of the demo with a directory for temporary files of its own.
type demoRun struct {
	t    *testing.T
	cmd  *exec.Cmd
	tmp  string
	mark testenv.Marker
	out  bytes.Buffer
}

func newRun(t *testing.T, before ...string) *demoRun {
	t.Helper()
	testenv.Needs(t, testenv.UserNS, testenv.DevFuse)
	path, err := built()
	if err != nil {
		t.Fatalf("build the demo: %v\n%s", err, path)
	}
	args := append(before, path, "-cvmfsbundle", testenv.Binary(t, "cvmfsbundle"))
	r := &demoRun{t: t, cmd: exec.Command(args[0], args[1:]...), tmp: testenv.Dir(t), mark: testenv.NewMarker()}
	r.cmd.Env = append(os.Environ(), "TMPDIR="+r.tmp, r.mark.Env())
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.WaitDelay = 30 * time.Second
	return r
}

// nothingLeft checks that no file, process or mount is left.
func (r *demoRun) nothingLeft() {
	r.t.Helper()
	r.mark.Gone(r.t, 5*time.Second)
	links, _ := filepath.Glob("/proc/[0-9]*/exe") // what the demo starts has a marker of its own
	for _, l := range links {
		if exe, err := os.Readlink(l); err == nil && strings.HasPrefix(exe, r.tmp+"/") {
			r.t.Errorf("%s is left: %s", l, exe)
		}
	}
	ents, err := os.ReadDir(r.tmp)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range ents {
		r.t.Errorf("%s is left", e.Name())
	}
	for _, m := range testenv.Mounts(r.t, r.tmp) {
		r.t.Errorf("a mount is left: %s", m)
	}
}

func TestDemo(t *testing.T) {
	r := newRun(t)
	err := r.cmd.Run()
	text := r.out.String()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, want := range []string{"$ ./cvmfsexec hello.example.org -- ls /cvmfs/hello.example.org\n", "reading it fails, with EIO", "are as published", "no process, no mount and no file is left\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output has no %q:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "\n"); n > 24 {
		t.Errorf("%d lines are more than anybody reads:\n%s", n, text)
	}
	r.nothingLeft()
}

// Where the machine has no fuse, the demo says what the bundle says and ends as it.
func TestRefused(t *testing.T) {
	testenv.Needs(t, testenv.Tool("unshare", "util-linux"))
	namespaces := "-Urm"
	if testenv.IsRoot() {
		namespaces = "-m"
	}
	r := newRun(t, "unshare", namespaces, "sh", "-c", `mount --bind /dev/null /dev/fuse && exec "$@"`, "sh")
	r.cmd.Run()
	text := r.out.String()
	if got := r.cmd.ProcessState.ExitCode(); got != int(exit.NoMode) {
		t.Errorf("exit status %d, want %d", got, exit.NoMode)
	}
	if !strings.Contains(text, "cvmfsexec: error: mode 3 cannot be used here: ") {
		t.Errorf("the bundle's sentence is missing:\n%s", text)
	}
	r.nothingLeft()
}

// A signal at any moment, to the demo or to its whole group as Ctrl-C sends it, leaves
// nothing.
func TestInterrupted(t *testing.T) {
	for _, seed := range testenv.Seeds(t, 6, 60) {
		rng := rand.New(rand.NewPCG(seed, 11))
		r := newRun(t)
		if err := r.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50*time.Millisecond + time.Duration(rng.Int64N(int64(3*time.Second))))
		if seed%2 == 0 {
			syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT)
		} else {
			r.cmd.Process.Signal(syscall.SIGTERM)
		}
		r.cmd.Wait()
		// a signal that comes before the handler or after the last step has another end
		if code := r.cmd.ProcessState.ExitCode(); code != int(exit.Interrupted) && code != 0 && code != -1 {
			t.Errorf("seed %d: exit status %d\n%s", seed, code, r.out.String())
		}
		if r.nothingLeft(); t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, r.out.String())
		}
	}
}
