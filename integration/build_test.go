package integration

import (
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// maxStub is the size that the stub must not pass, in bytes.
const maxStub = 5 << 20

// The stub, as make builds it, is small and static on every machine type.
func TestStubSize(t *testing.T) {
	dir := t.TempDir()
	for _, goarch := range []string{"amd64", "arm64", "ppc64le"} {
		t.Run(goarch, func(t *testing.T) {
			path := buildWithMake(t, testenv.Root(), dir, "stub-linux-"+goarch)
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes", st.Size())
			if st.Size() > maxStub {
				t.Errorf("the stub has %d bytes, more than %d", st.Size(), maxStub)
			}
			f, err := elf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
					t.Errorf("the stub is not static: it has a segment %v", p.Type)
				}
			}
			if f.Section(".symtab") != nil {
				t.Error("the stub is not stripped")
			}
		})
	}
}

func buildWithMake(t *testing.T, source, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	cmd := exec.Command("make", "-s", "BIN="+dir, path)
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", name, err, out)
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(source, path)
}

// The same source in another directory, without any cache, gives the same bytes.
func TestBuildsAreIdentical(t *testing.T) {
	name := "stub-linux-" + runtime.GOARCH
	first, err := os.ReadFile(testenv.Binary(t, "stub"))
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(t.TempDir(), "another-place")
	copySource(t, source)
	t.Setenv("GOCACHE", t.TempDir())
	second, err := os.ReadFile(buildWithMake(t, source, "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if string(first) != string(second) {
		t.Errorf("two builds of the stub differ: %d and %d bytes", len(first), len(second))
	}
}

// copySource copies what the stub is built from.
func copySource(t *testing.T, to string) {
	t.Helper()
	root := testenv.Root()
	paths := []string{"go.mod", "go.sum", "Makefile"}
	for _, dep := range goList(t, runtime.GOARCH, "-deps", "./stub") {
		if rel, ours := strings.CutPrefix(dep, module); ours {
			paths = append(paths, rel)
		}
	}
	for _, rel := range paths {
		err := filepath.WalkDir(filepath.Join(root, rel), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if p != filepath.Join(root, rel) {
					return fs.SkipDir // a package of its own
				}
				return nil
			}
			dst := filepath.Join(to, strings.TrimPrefix(p, root))
			if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
				return err
			}
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			return os.WriteFile(dst, data, 0o644)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
