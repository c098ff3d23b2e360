package integration

import (
	"bufio"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

const module = "github.com/cvmfsbundle/cvmfsbundle/"

// goList runs go list for linux without cgo and returns its lines.
func goList(t *testing.T, goarch string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = testenv.Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch)
	out, err := cmd.Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			t.Fatalf("go list %q: %v\n%s", args, err, ee.Stderr)
		}
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// within reports whether path is the package or directory dir or lies below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func withinAny(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return within(path, dir) })
}

// testHelpers are packages for tests and the demonstration alone.
var testHelpers = []string{
	"internal/testrepo", "internal/testenv", "internal/testrun", "internal/rpmtest", "internal/rpmrepo", "internal/standin",
	"internal/listtree", "internal/readonlytest", "internal/fusefd", "internal/payload/payloadtest", "integration",
}

// The three programs share nothing but internal packages and profiles, and none of
// them has anything that is there for tests.
func TestImportStrands(t *testing.T) {
	strands := []struct {
		program string
		own     []string
	}{
		{"cmd/cvmfsbundle", []string{"cmd/cvmfsbundle", "builder", "profiles"}},
		{"stub", []string{"stub", "runtime"}},
		{"cmd/cvmfs2", []string{"cmd/cvmfs2", "client"}},
	}
	for _, s := range strands {
		t.Run(s.program, func(t *testing.T) {
			deps := goList(t, "amd64", "-deps", "./"+s.program)
			if !slices.Contains(deps, module+s.program) {
				t.Fatalf("go list does not name the program itself: %q", deps)
			}
			for _, dep := range deps {
				rel, ours := strings.CutPrefix(dep, module)
				if !ours {
					continue
				}
				if !withinAny(rel, s.own) && !within(rel, "internal") {
					t.Errorf("%s imports %s: its strand is %q and internal", s.program, rel, s.own)
				}
				if withinAny(rel, testHelpers) {
					t.Errorf("%s imports %s, which is for tests", s.program, rel)
				}
			}
			if slices.ContainsFunc(deps, func(d string) bool { return within(d, "modernc.org") || d == "testing" }) {
				t.Errorf("%s imports a SQLite library or package testing", s.program)
			}
		})
	}
}

// What costs the stub size and start time stays out of it: its mounts are system
// calls, it talks to no network, and it executes no helper program.
func TestStubImports(t *testing.T) {
	forbidden := []string{
		"net", "crypto/tls", "crypto/x509", "os/exec", "text/template", "html", "encoding/gob", "encoding/xml",
		"go", "testing", "plugin", "expvar", "mvdan.cc/sh/v3/interp", "mvdan.cc/sh/v3/expand",
		"github.com/hanwen/go-fuse/v2", "github.com/BurntSushi/toml",
	}
	for _, goarch := range []string{"amd64", "arm64", "ppc64le"} {
		deps := goList(t, goarch, "-deps", "./stub")
		for _, dep := range deps {
			if withinAny(dep, forbidden) {
				t.Errorf("%s: the stub imports %s", goarch, dep)
			}
		}
	}
}

// A pkg is what go list tells of one package.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// The SQLite library is the tests' judge of the catalog reader, and what makes test
// repositories; no program has it.
func TestSQLiteOnlyInTests(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = testenv.Root()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := false
	d := json.NewDecoder(out)
	for {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		sqlite := func(path string) bool { return within(path, "modernc.org") }
		seen = seen || slices.ContainsFunc(append(p.TestImports, p.XTestImports...), sqlite)
		if slices.ContainsFunc(p.Imports, sqlite) && p.ImportPath != module+"internal/testrepo" {
			t.Errorf("%s imports a SQLite library outside its tests", p.ImportPath)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !seen {
		t.Error("no test imports a SQLite library: the catalog reader has no judge")
	}
}

// A linkname directive reaches into the Go runtime; it stays in two small packages.
func TestLinkname(t *testing.T) {
	allowed := []string{"runtime/rawfork", "runtime/inherit"}
	used := map[string]bool{}
	eachSource(t, func(rel string) {
		file, err := os.Open(filepath.Join(testenv.Root(), rel))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for s := bufio.NewScanner(file); s.Scan(); {
			if !strings.HasPrefix(s.Text(), "//go:"+"linkname ") {
				continue
			}
			if dir := filepath.Dir(rel); slices.Contains(allowed, dir) {
				used[dir] = true
			} else {
				t.Errorf("%s: %s", rel, s.Text())
			}
		}
	})
	if len(used) != len(allowed) {
		t.Errorf("only %v use it: the test looks at the wrong files or is out of date", used)
	}
}

// No package but the standard one is imported under the name runtime.
func TestNothingElseIsRuntime(t *testing.T) {
	eachSource(t, func(rel string) {
		for name, path := range imports(t, rel) {
			if path != "runtime" && (name == "runtime" || path == module+"runtime") {
				t.Errorf("%s imports %s as runtime", rel, path)
			}
		}
	})
}

// imports returns the import paths of a file, by the name that the file gives them;
// those without a name by their path.
func imports(t *testing.T, rel string) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(testenv.Root(), rel), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, imp := range f.Imports {
		path := strings.Trim(imp.Path.Value, `"`)
		key := path
		if imp.Name != nil && imp.Name.Name != "_" {
			key = imp.Name.Name
		}
		out[key] = path
	}
	return out
}

// eachSource calls f with the path of every Go file of the module.
func eachSource(t *testing.T, f func(rel string)) {
	t.Helper()
	root, n := testenv.Root(), 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(p, ".go") {
			n++
			f(strings.TrimPrefix(p, root+"/"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 100 {
		t.Errorf("only %d source files found", n)
	}
}
