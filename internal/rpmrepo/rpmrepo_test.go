package rpmrepo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/builder/compressed"
	"github.com/cvmfsbundle/cvmfsbundle/builder/rpmfile"
	"github.com/cvmfsbundle/cvmfsbundle/builder/yum"
	"github.com/cvmfsbundle/cvmfsbundle/internal/evr"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

func sample() []Package {
	var out []Package
	for i, c := range []string{"", "xz", "zstd"} {
		out = append(out, Package{
			Name: "pkg" + c, Version: "1.2", Epoch: uint32(i), Compressor: c,
			Files: []File{
				{Path: "/etc/x.conf", Data: []byte("content")},
				{Path: "/usr/bin/x", Data: []byte("program"), Mode: 0o755},
				{Path: "/usr/bin/y", Link: "x"},
				{Path: "/var/lib/x", Mode: os.ModeDir | 0o700},
			},
		})
	}
	return out
}

func TestReadBack(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, sample()...); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "repodata/repomd.xml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := yum.ParseRepomd(f)
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.Open(filepath.Join(dir, data.Href))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r, err := compressed.Open(p, data.OpenSize)
	if err != nil {
		t.Fatal(err)
	}
	pkgs, err := yum.ParsePrimary(r, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range sample() {
		got := pkgs[i]
		if got.Name != want.Name || got.EVR != (evr.EVR{Epoch: want.Epoch, Version: "1.2", Release: "1"}) || got.Arch != "noarch" {
			t.Errorf("got %+v", got)
		}
		unpack(t, filepath.Join(dir, got.Href), got.NEVRA())
	}
}

func unpack(t *testing.T, path, nevra string) {
	t.Helper()
	p, err := rpmfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.NEVRA() != nevra {
		t.Errorf("got %s, want %s", p.NEVRA(), nevra)
	}
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := p.Extract(t.Context(), root, func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if got, err := root.ReadFile("usr/bin/y"); err != nil || string(got) != "program" {
		t.Errorf("got %q, %v", got, err)
	}
	if fi, err := root.Stat("var/lib/x"); err != nil || fi.Mode() != os.ModeDir|0o700 {
		t.Errorf("got %v, %v", fi, err)
	}
}

func TestReproducible(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, d := range []string{a, b} {
		if err := Write(d, sample()...); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"repodata/repomd.xml", "Packages/pkgzstd-1.2-1.noarch.rpm"} {
		x, err := os.ReadFile(filepath.Join(a, name))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(filepath.Join(b, name))
		if err != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs, %v", name, err)
		}
	}
}

// TestRealTools lets rpm read what was made.
func TestRealTools(t *testing.T) {
	testenv.Needs(t, testenv.Tool("rpm", "rpm"))
	dir := t.TempDir()
	if err := Write(dir, sample()...); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"pkg", "pkgxz", "pkgzstd"} {
		out, err := exec.Command("rpm", "-qp", "--qf", "%{NEVRA}\n[%{FILENAMES}\n]", filepath.Join(dir, "Packages", p+"-1.2-1.noarch.rpm")).Output()
		if err != nil {
			t.Fatal(err)
		}
		_, files, _ := strings.Cut(string(out), "\n")
		if diff := cmp.Diff(files, "/etc/x.conf\n/usr/bin/x\n/usr/bin/y\n/var/lib/x\n"); diff != "" {
			t.Error(p, diff)
		}
	}
}
