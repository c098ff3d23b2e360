package builder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/builder/compressed"
	"github.com/cvmfsbundle/cvmfsbundle/builder/yum"
	"github.com/cvmfsbundle/cvmfsbundle/internal/evr"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmrepo"
)

// repo makes a repository without any tool and returns its primary entry.
func repo(t *testing.T) (string, yum.Data) {
	t.Helper()
	dir := t.TempDir()
	if err := rpmrepo.Write(dir, rpmrepo.Package{Name: "a"}, rpmrepo.Package{Name: "b"}); err != nil {
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
	return dir, data
}

// TestOpenMetadata: what repomd.xml says of the decompressed file is checked too.
func TestOpenMetadata(t *testing.T) {
	dir, good := repo(t)
	read := func(change func(*yum.Data)) ([]yum.Package, error) {
		data := good
		change(&data)
		return readPrimary(filepath.Join(dir, data.Href), data, func(name string) bool { return name == "b" })
	}
	if got, err := read(func(*yum.Data) {}); err != nil || len(got) != 1 || got[0].Name != "b" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := read(func(d *yum.Data) { d.OpenChecksum = yum.Checksum{} }); err != nil {
		t.Errorf("without the checksum: %v", err)
	}
	if _, err := read(func(d *yum.Data) { d.OpenChecksum.Hex = strings.Repeat("0", 64) }); exit.CodeOf(err) != exit.Digest {
		t.Errorf("wrong checksum: got %v", err)
	}
	if _, err := read(func(d *yum.Data) { d.OpenSize-- }); !errors.Is(err, compressed.ErrTooLarge) || exit.CodeOf(err) != exit.Unreachable {
		t.Errorf("too large: got %v", err)
	}
}

// TestOtherPackage: a file whose checksum is right but which is not the package that
// the metadata calls it.
func TestOtherPackage(t *testing.T) {
	dir, _ := repo(t)
	for _, p := range []yum.Package{
		{Name: "b", EVR: evr.EVR{Version: "1.0", Release: "1"}, Arch: "noarch"},
		{Name: "a", EVR: evr.EVR{Version: "1.0", Release: "2"}, Arch: "noarch"},
		{Name: "a", EVR: evr.EVR{Epoch: 1, Version: "1.0", Release: "1"}, Arch: "noarch"},
		{Name: "a", EVR: evr.EVR{Version: "1.0", Release: "1"}, Arch: "x86_64"},
	} {
		_, err := openPackage(filepath.Join(dir, "Packages/a-1.0-1.noarch.rpm"), pick{Package: p})
		if exit.CodeOf(err) != exit.Digest || !strings.Contains(fmt.Sprint(err), `the file is package "a-1.0-1.noarch"`) {
			t.Errorf("%s: got %v", p.NEVRA(), err)
		}
	}
}

func TestElsewhere(t *testing.T) {
	r := &resolver{choice: (&site{}).options(t, "none").Choice, repos: map[string]*repository{"r": {
		id: "r", bases: []string{"http://h"}, packages: []yum.Package{{Name: "x", Arch: "noarch", Href: "x.rpm", Base: "http://elsewhere"}},
	}}}
	if _, err := r.pick("x", "r", ""); exit.CodeOf(err) != exit.Unresolved || !strings.Contains(err.Error(), "which is not followed") {
		t.Errorf("got %v", err)
	}
}
