package pack_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/builder/pack"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload/payloadtest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func dist(t testing.TB) string {
	dir := filepath.Join(t.TempDir(), "dist")
	payloadtest.Dist(t, dir, 100<<10)
	return dir
}

func options(dir string) pack.Options {
	return pack.Options{Dist: dir, Stub: strings.NewReader("\x7fELF"), Output: filepath.Join(filepath.Dir(dir), "out")}
}

func TestPack(t *testing.T) {
	dir := dist(t)
	for _, d := range []string{"var/lib/cvmfs/shared", "var/run/cvmfs", "var/lib/other", "cvmfs/repo.example.org"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(dir, "var/lib/cvmfs/shared/lock"), nil, 0o600))
	must(t, os.Symlink("/nowhere", filepath.Join(dir, "cvmfs/repo.example.org/absolute"))) // a mounted repository may have them
	o := options(dir)
	must(t, os.WriteFile(o.Output, []byte("the old one"), 0o600))
	r, err := pack.Pack(t.Context(), o)
	must(t, err)
	f, err := os.Open(o.Output)
	must(t, err)
	defer f.Close()
	info, err := f.Stat()
	must(t, err)
	if info.Mode() != 0o755 || info.Size() != r.Size {
		t.Errorf("mode %v, %d bytes", info.Mode(), info.Size())
	}
	b, err := payload.Open(f, info.Size())
	must(t, err)
	must(t, b.Verify(t.Context()))
	if b.ID() != r.ID || b.Manifest.Kind != payload.Cvmfsexec || b.Manifest.Machine != "rhel9-x86_64" || b.Manifest.Client != payload.Builtin {
		t.Errorf("%+v", b.Manifest.Meta)
	}
	var state []string
	other := false
	for _, f := range b.Manifest.Files {
		if strings.Contains(f.Path+"/", "/cvmfs/") && strings.HasPrefix(f.Path, "dist/var/") || strings.HasPrefix(f.Path, "dist/cvmfs") {
			state = append(state, f.Path)
		}
		other = other || f.Path == "dist/var/lib/other"
	}
	if state != nil || !other {
		t.Errorf("state in the bundle: %q; other directory: %v", state, other)
	}
}

func TestPackRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(dir string, o *pack.Options) error
		want string
		code exit.Code
	}{
		{"no description", func(d string, _ *pack.Options) error { return os.Remove(d + "/.cvmfsexecdist") }, "it has no .cvmfsexecdist", exit.Config},
		{"no tree", func(d string, _ *pack.Options) error { return os.RemoveAll(d) }, "no dist tree", exit.Config},
		{"wrong kind", func(_ string, o *pack.Options) error { o.Meta.Kind = payload.Singcvmfs; return nil }, "made for cvmfsexec", exit.Config},
		{"wrong machine", func(_ string, o *pack.Options) error { o.Meta.Machine = "rhel8-x86_64"; return nil }, "machine type", exit.Config},
		{"wrong client", func(_ string, o *pack.Options) error { o.Meta.Client = payload.RPM; return nil }, "client is builtin", exit.Config},
		{"var is a link", func(d string, _ *pack.Options) error { return os.Symlink("etc", d+"/var") }, `"var" is not a directory`, exit.Config},
		{"absolute link", func(d string, _ *pack.Options) error { return os.Symlink("/usr", d+"/etc/abs") }, `"dist/etc/abs" has the absolute target "/usr"`, exit.Output},
		{"no stub", func(_ string, o *pack.Options) error { o.Stub = strings.NewReader(""); return nil }, "stub of 0 bytes", exit.Output},
		{"no directory", func(d string, o *pack.Options) error { o.Output = d + "/none/out"; return nil }, "create", exit.Output},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := dist(t)
			o := options(dir)
			must(t, tt.make(dir, &o))
			_, err := pack.Pack(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tt.want) || exit.CodeOf(err) != tt.code {
				t.Errorf("error %v (code %d), want %q (code %d)", err, exit.CodeOf(err), tt.want, tt.code)
			}
			left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "*"))
			for _, p := range left {
				if p != dir {
					t.Errorf("left: %s", p)
				}
			}
		})
	}
}

// TestFullDisk: the file that was there stays.
func TestFullDisk(t *testing.T) {
	dir := dist(t)
	o := options(dir)
	o.Stub = errReader{}
	must(t, os.WriteFile(o.Output, []byte("old"), 0o755))
	if _, err := pack.Pack(t.Context(), o); err == nil {
		t.Error("no error")
	}
	if got, err := os.ReadFile(o.Output); !bytes.Equal(got, []byte("old")) {
		t.Errorf("%q, %v", got, err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("no space") }

func TestParseDescription(t *testing.T) {
	for text, want := range map[string]pack.Description{
		"disttype: standard\nmachtype: rhel9-x86_64\n":               {Kind: payload.Cvmfsexec, Machine: "rhel9-x86_64", Client: payload.RPM},
		"disttype: sing\nmachtype: x\nclient: builtin\nlater: yes\n": {Kind: payload.Singcvmfs, Machine: "x", Client: payload.Builtin},
	} {
		got, err := pack.ParseDescription(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if again, err := pack.ParseDescription(got.String()); err != nil || again != want {
			t.Errorf("%q: again %+v, %v", text, again, err)
		}
	}
	for _, text := range []string{"", "disttype: standard\n", "disttype: other\nmachtype: x\n", "disttype: sing\nmachtype: x\nclient: theirs\n", "text\n"} {
		if d, err := pack.ParseDescription(text); err == nil {
			t.Errorf("%q: %+v", text, d)
		}
	}
}

func BenchmarkPack(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "dist")
	payloadtest.Dist(b, dir, 20<<20)
	for b.Loop() {
		_, err := pack.Pack(b.Context(), options(dir))
		must(b, err)
	}
}
