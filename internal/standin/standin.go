// Package standin makes RPM packages of a stand-in for upstream's client: a dynamically
// linked C program with libraries in packages of their own, as the real one has them
// (testdata/standin). It packs them with rpmbuild, lays them out as the repositories of
// profile osg and serves these.
package standin

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmtest"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// Versions of the package cvmfs: the one that OSG carries, and a newer one that CERN
// has besides it.
const (
	Version = "2.13.3"
	Newer   = "2.14.0"
)

// Machine is the machine type that the packages are for.
const Machine = "rhel9-x86_64"

// Needs are what the package needs of a machine.
func Needs() []testenv.Need {
	return append([]testenv.Need{
		testenv.Tool("gcc", "gcc"), testenv.Tool("pkg-config", "pkg-config"),
	}, rpmtest.Tools...)
}

// compile builds the stand-in and returns a directory with a tree for each package.
func compile(t testing.TB, dir string) string {
	t.Helper()
	testenv.Needs(t, Needs()...)
	if err := exec.Command("pkg-config", "--exists", "fuse3").Run(); err != nil {
		testenv.Skip(t, "needs the headers of libfuse3 (Debian package libfuse3-dev)")
	}
	out := filepath.Join(dir, "trees")
	cmd := exec.Command(filepath.Join(testenv.Root(), "testdata/standin/build.sh"), Version, out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the stand-in: %v\n%s", err, text)
	}
	return out
}

// A repository is one of profile osg's.
type repository struct {
	dir  string // below the server's root
	from string // its URL in profiles.toml, up to what Mirrors replaces
	path string // the rest of its URL
}

var repositories = map[string]repository{
	"osg":  {"osg", "https://repo.opensciencegrid.org", "osg/25-main/el9/release/x86_64"},
	"cern": {"cern", "https://cvmrepo.s3.cern.ch/cvmrepo", "yum/cvmfs/EL/9/x86_64"},
	"epel": {"epel", "https://download.fedoraproject.org/pub", "epel/9/Everything/x86_64"},
	"fuse": {"almalinux", "https://repo.almalinux.org/almalinux", "9/AppStream/x86_64/os"},
}

// Serve makes the repositories below dir, which must be readable by everybody, and
// serves them until the end of the test, by nginx where it is installed. It returns
// what -mirror takes.
func Serve(t testing.TB, dir string) (mirrors []string) {
	t.Helper()
	trees := compile(t, dir)
	root := filepath.Join(dir, "www")
	specs := packages(trees)
	for id, r := range repositories {
		at := filepath.Join(root, r.dir, r.path)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, s := range specs[id] {
			rpmtest.Build(t, at, s)
		}
		rpmtest.Createrepo(t, at)
	}
	serve := rpmtest.Serve
	if _, err := exec.LookPath("nginx"); err == nil {
		serve = rpmtest.Nginx
	}
	url := serve(t, root)
	for _, r := range repositories {
		mirrors = append(mirrors, r.from+"="+url+"/"+r.dir)
	}
	return mirrors
}
