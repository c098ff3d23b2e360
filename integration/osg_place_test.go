package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// Where every place to unpack in is mounted noexec, the client and its libraries are
// executed from a tmpfs in the namespace.
func TestOSGEverythingNoExec(t *testing.T) {
	testenv.Needs(t, testenv.RootUser, testenv.Tool("setpriv", "util-linux"))
	b := osgBundle(t)
	// the bundle itself has to lie where programs can be started: not in /tmp
	dir, err := os.MkdirTemp("/var/tmp", "cvmfsbundle-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	other := &bundle{t: t, path: filepath.Join(dir, "cvmfsexec"), dir: dir, marker: b.marker}
	copyFile(t, b.path, other.path)
	script := "mount --bind " + dir + " " + dir + "; mount -o remount,bind,ro " + dir +
		"; for d in /tmp /dev/shm; do mount -t tmpfs -o noexec,nosuid,nodev,mode=1777 none $d; done"
	const name = "/cvmfs/" + osgRepo + "/"
	r := other.finish(prepared(t, other, nil, script, other.path, osgRepo, "--", "/bin/cat", name+"README", name+"maps"))
	if r.code != 0 || !strings.HasPrefix(r.stdout, "This is "+osgRepo) || !strings.Contains(r.stdout, "/dist/usr/lib64/libfuse3.so.3.") {
		t.Errorf("%d %q %q", r.code, r.stdout, r.stderr)
	}
}

// The name of the bundle's directory may be an odd one. (A ":" or ";" would separate the
// paths of the loader's search, a "#" ends a line of the client's configuration.)
func TestOSGOddDirectory(t *testing.T) {
	b := osgBundle(t)
	for _, name := range []string{"a$b", "c,d", "e\\f", "g=h", "i*j", "k'l", `m"n`, strings.Repeat("long", 40)} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(b.dir, name)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			other := &bundle{t: t, path: filepath.Join(dir, "cvmfsexec"), dir: dir, marker: b.marker}
			copyFile(t, b.path, other.path)
			testenv.Own(t, dir, other.path)
			if got := other.osgCat(osgRepo, "README"); !strings.HasPrefix(got, "This is "+osgRepo) {
				t.Errorf("README: %q", got)
			}
		})
	}
}
