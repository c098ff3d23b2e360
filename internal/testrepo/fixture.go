package testrepo

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// Fixtures are the names of the repositories in testdata/repos, which the CernVM-FS
// server tools published (testdata/README.md says what is in them).
func Fixtures() []string {
	return []string{"small.example.org", "shake.example.org", "cfg.example.org"}
}

// Fixture unpacks a repository of testdata/repos for the time of the test. It
// returns the tree to serve as /cvmfs/NAME, the master public key, and the file that
// lists what a mount must show.
func Fixture(t testing.TB, name string) (dir string, publicKeyPEM []byte, expectedTSV string) {
	t.Helper()
	base := filepath.Join(testenv.Root(), "testdata", "repos", name)
	key, err := os.ReadFile(base + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	testenv.Untar(t, base+".tar.zst", tmp)
	dir = filepath.Join(tmp, name)
	if _, err := os.Stat(filepath.Join(dir, ".cvmfspublished")); err != nil {
		t.Fatal(err)
	}
	return dir, key, base + ".expected.tsv"
}
