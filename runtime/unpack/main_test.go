package unpack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/unpack"
)

// childVar makes the test binary a start: it calls Ensure for the bundle that the
// variable names and prints a [report].
const childVar = "CVMFSBUNDLE_TEST_UNPACK"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVar); path != "" {
		os.Exit(child(path))
	}
	code := testenv.Main(m)
	if exeDir != "" {
		os.RemoveAll(exeDir)
	}
	os.Exit(code)
}

// What all tests share, made when first needed: a directory with the test binary
// where everybody may run it, and bundles by their marks.
var (
	exeDir  string
	bundles = map[string][]byte{}
)

// report is what a start in a child process says.
type report struct {
	Place    unpack.Place
	Warnings []string
	Err      string
	Code     exit.Code
	NoExec   bool     // Err wraps ErrNoExec
	Left     []string // what is in the directory that CHILD_LIST names
}

func child(path string) int {
	if os.Getenv("CHILD_WAIT") != "" { // all children start at once: the parent closes stdin
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
	if err := prepareMounts(); err != nil {
		fmt.Fprintln(os.Stderr, "mount:", err)
		return 1
	}
	r, err := start(context.Background(), path, os.Getenv, os.Getenv("CHILD_ALLOW_NOEXEC") != "")
	if err != nil {
		r.Err, r.Code, r.NoExec = err.Error(), exit.CodeOf(err), errors.Is(err, unpack.ErrNoExec)
	}
	r.Place.Root = nil
	if dir := os.Getenv("CHILD_LIST"); dir != "" {
		list, _ := os.ReadDir(dir)
		for _, e := range list {
			r.Left = append(r.Left, e.Name())
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return 1
	}
	return 0
}

// start calls Ensure as a stub would.
func start(ctx context.Context, path string, getenv func(string) string, noexec bool) (report, error) {
	var r report
	f, err := os.Open(path)
	if err != nil {
		return r, err
	}
	defer f.Close()
	p, err := unpack.Ensure(ctx, unpack.Options{
		File: f, Path: path, Getenv: getenv, AllowNoExec: noexec,
		Warn: func(line string) { r.Warnings = append(r.Warnings, line) },
	})
	if err != nil {
		return r, err
	}
	defer p.Close()
	r.Place = *p
	if p.TidyDue {
		err = unpack.Tidy(ctx, p)
	}
	return r, err
}

// command returns a start of the bundle at path by the ordinary user, with nothing
// in its environment but env. The test binary is copied to where that user can run it.
func command(t testing.TB, path string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := testenv.As(exec.Command(executable(t)))
	cmd.Dir = "/"
	cmd.Env = append([]string{childVar + "=" + path}, env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// executable returns the test binary where everybody may run it.
func executable(t testing.TB) string {
	t.Helper()
	exe := filepath.Join(exeDir, "start")
	if exeDir != "" {
		return exe
	}
	var err error
	exeDir, err = os.MkdirTemp("/var/tmp", "cvmfsbundle-test-") // tests mount over /tmp
	must(t, err)
	must(t, os.Chmod(exeDir, 0o755))
	self, err := os.Executable()
	must(t, err)
	data, err := os.ReadFile(self)
	must(t, err)
	exe = filepath.Join(exeDir, "start")
	must(t, os.WriteFile(exe, data, 0o755))
	return exe
}

// run runs a start and returns its report.
func run(t testing.TB, cmd *exec.Cmd) report {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("start: %v\n%s", err, out)
	}
	var r report
	must(t, json.Unmarshal(out, &r))
	return r
}

// good runs a start that must succeed, and checks its tree.
func good(t testing.TB, cmd *exec.Cmd) report {
	t.Helper()
	r := run(t, cmd)
	if r.Err != "" {
		t.Fatalf("start: %s (code %d); warnings %q", r.Err, r.Code, r.Warnings)
	}
	complete(t, r.Place.Dist)
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// content returns what the file number i of a test bundle contains. Some files
// are large enough to be caught half-written.
func content(i int) []byte {
	rnd := rand.New(rand.NewPCG(1, uint64(i)))
	b := make([]byte, rnd.IntN(3000)+(i%10)/9*400_000)
	for i := range b {
		b[i] = byte(rnd.IntN(50)) // compressible, but not to nothing
	}
	return b
}

const files = 60

func fileName(i int) string { return fmt.Sprintf("usr/lib64/d%d/file%d", i%5, i) }

// bundle writes a bundle named "cvmfsexec" into dir, which belongs to the ordinary
// user afterwards, as does the bundle. Bundles with different marks have different IDs.
func bundle(t testing.TB, dir, mark string) string {
	t.Helper()
	if bundles[mark] == nil {
		bundles[mark] = pack(t, mark)
	}
	p := filepath.Join(dir, "cvmfsexec-"+mark)
	must(t, os.WriteFile(p, bundles[mark], 0o755))
	testenv.Own(t, p)
	return p
}

func pack(t testing.TB, mark string) []byte {
	t.Helper()
	dist := t.TempDir()
	for i := range files {
		p := filepath.Join(dist, fileName(i))
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, content(i), 0o644))
	}
	must(t, os.MkdirAll(filepath.Join(dist, "etc/cvmfs"), 0o755))
	must(t, os.WriteFile(filepath.Join(dist, "etc/cvmfs/default.local"), []byte(mark), 0o644))
	must(t, os.MkdirAll(filepath.Join(dist, "var/lib/cvmfs"), 0o755))
	root, err := os.OpenRoot(dist)
	must(t, err)
	defer root.Close()
	var b bytes.Buffer
	_, _, err = payload.Write(t.Context(), &b, payload.Source{Stub: strings.NewReader("#!stub"), Dist: root},
		payload.Meta{Kind: payload.Cvmfsexec, Profile: "demo", Client: payload.Builtin})
	must(t, err)
	return b.Bytes()
}

// complete checks that dist is the whole tree of a test bundle with its links.
func complete(t testing.TB, dist string) {
	t.Helper()
	for i := range files {
		got, err := os.ReadFile(filepath.Join(dist, fileName(i)))
		if err != nil || !bytes.Equal(got, content(i)) {
			t.Fatalf("%s: %v, %d bytes of %d", fileName(i), err, len(got), len(content(i)))
		}
	}
	for link, to := range map[string]string{"var/lib/cvmfs": "var/lib/cvmfs", "var/run/cvmfs": "var/run/cvmfs", "cvmfs": "cvmfs", "../log": "log"} {
		got, err := filepath.EvalSymlinks(filepath.Join(dist, link))
		if want := filepath.Join(dist, "../..", to); err != nil || got != want {
			t.Errorf("link dist/%s leads to %q (%v), want %q", link, got, err, want)
		}
	}
}

// entries lists a directory, trees and temporary names apart.
func entries(t testing.TB, base string) (trees, temps []string) {
	t.Helper()
	list, err := os.ReadDir(base)
	must(t, err)
	for _, e := range list {
		if _, err := payload.ParseID(e.Name()); err == nil {
			trees = append(trees, e.Name())
		} else if strings.HasPrefix(e.Name(), ".") {
			temps = append(temps, e.Name())
		}
	}
	return trees, temps
}
