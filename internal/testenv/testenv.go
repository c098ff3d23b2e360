// Package testenv is what the project's tests share: where things are, who the
// ordinary user is, what a machine must have for a test, and how many rounds a
// seeded test takes.
//
// Tests run as root in CI and as anybody on a developer's machine. What users do
// as ordinary users, tests do as one too: [As] makes a command run under an
// unprivileged uid when the test itself is root, and [Dir] gives a directory which
// that user owns and can reach.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Environment variables that tests read.
const (
	MustVar   = "CVMFSBUNDLE_TEST_MUST" // comma separated names of tests that must not be skipped
	SoakVar   = "CVMFSBUNDLE_SOAK"      // non-empty: the large counts (make soak)
	SeedVar   = "SEED"                  // one seed: run just that one
	MarkerVar = "CVMFSBUNDLE_TEST_RUN"  // marks the processes of a run, see [Marker]
)

// uid is the unprivileged user (and group) tests become when they are root: no
// account needs to exist for it.
const uid = 54321

// Root returns the module's top directory.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	if !filepath.IsAbs(file) { // built with -trimpath: tests run in their package's directory
		dir, _ := os.Getwd()
		for dir != "/" {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				return dir
			}
			dir = filepath.Dir(dir)
		}
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Skip skips the test with a reason, or fails it when [MustVar] names it (or the
// test it is a part of).
func Skip(t testing.TB, reason string) {
	t.Helper()
	top, _, _ := strings.Cut(t.Name(), "/")
	for name := range strings.SplitSeq(os.Getenv(MustVar), ",") {
		if name = strings.TrimSpace(name); name != "" && (name == top || name == t.Name()) {
			t.Fatalf("must not be skipped (%s), but: %s", MustVar, reason)
		}
	}
	t.Skip(reason)
}

// Shared returns the path below the shared/ folder that lies beside the project,
// and skips the test when it is absent.
func Shared(t testing.TB, elem ...string) string {
	t.Helper()
	p := filepath.Join(append([]string{filepath.Dir(Root()), "shared"}, elem...)...)
	if _, err := os.Stat(p); err != nil {
		Skip(t, "no shared/"+filepath.Join(elem...)+" beside the project")
	}
	return p
}

// IsRoot reports whether the test runs as root of the initial user namespace.
func IsRoot() bool { return os.Getuid() == 0 }

// UID returns the uid of the ordinary user of this test run.
func UID() int {
	if IsRoot() {
		return uid
	}
	return os.Getuid()
}

// GID returns the gid of the ordinary user of this test run.
func GID() int {
	if IsRoot() {
		return uid
	}
	return os.Getgid()
}

// As makes cmd run as the ordinary user: with that uid and gid and no
// supplementary groups. It changes nothing for a test that is not root. It returns
// cmd.
func As(cmd *exec.Cmd) *exec.Cmd {
	if !IsRoot() {
		return cmd
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
	return cmd
}

// Dir returns a new directory that the ordinary user owns and reaches, removed at
// the end of the test. (The parents of [testing.T.TempDir] are closed to others.)
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cvmfsbundle-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				os.Chmod(p, 0o755)
			}
			return nil
		})
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	Own(t, dir)
	return dir
}

// Own gives the named files to the ordinary user.
func Own(t testing.TB, paths ...string) {
	t.Helper()
	if !IsRoot() {
		return
	}
	for _, p := range paths {
		if err := os.Lchown(p, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
}

// OwnTree gives a whole tree to the ordinary user.
func OwnTree(t testing.TB, dir string) {
	t.Helper()
	if !IsRoot() {
		return
	}
	err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, uid, uid)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Soak reports whether the large counts are wanted.
func Soak() bool { return os.Getenv(SoakVar) != "" }

// Count returns soak under make soak and fixed otherwise.
func Count(fixed, soak int) int {
	if Soak() {
		return soak
	}
	return fixed
}

// Seeds returns the seeds of a seeded test: 1 to [Count](fixed, soak), or the one
// that SEED names. Print the seed with every failure.
func Seeds(t testing.TB, fixed, soak int) []uint64 {
	t.Helper()
	if s := os.Getenv(SeedVar); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s=%q is not a number", SeedVar, s)
		}
		return []uint64{n}
	}
	seeds := make([]uint64, Count(fixed, soak))
	for i := range seeds {
		seeds[i] = uint64(i + 1)
	}
	return seeds
}

var builds sync.Map // target -> *build

type build struct {
	once sync.Once
	path string
	out  string
	err  error
}

var binDir = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "cvmfsbundle-bin-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
})

// Binary builds one of the project's programs the way make does and returns its
// path, readable and executable by everybody. Names: "cvmfsbundle", "stub",
// "cvmfs2". The build happens once per test process; [Main] removes it.
func Binary(t testing.TB, name string) string {
	t.Helper()
	v, _ := builds.LoadOrStore(name, new(build))
	b := v.(*build)
	b.once.Do(func() {
		var dir string
		if dir, b.err = binDir(); b.err != nil {
			return
		}
		file := name
		if name != "cvmfsbundle" {
			file += "-linux-" + runtime.GOARCH
		}
		b.path = filepath.Join(dir, file)
		cmd := exec.Command("make", "-s", "BIN="+dir, b.path)
		cmd.Dir = Root()
		var out []byte
		out, b.err = cmd.CombinedOutput()
		b.out = string(out)
		os.Chmod(b.path, 0o755)
	})
	if b.err != nil {
		t.Fatalf("build %s: %v\n%s", name, b.err, b.out)
	}
	return b.path
}

// Main runs the tests of a package and removes what [Binary] built. Use it as
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	used := false
	builds.Range(func(any, any) bool { used = true; return false })
	if used {
		if dir, err := binDir(); err == nil {
			os.RemoveAll(dir)
		}
	}
	return code
}
