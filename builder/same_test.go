package builder

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/builder/embedded"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// TestSameBytes: a bundle depends on what was asked for and on the packages, not on
// where, when, under which umask or in which order it was made.
func TestSameBytes(t *testing.T) {
	if len(embedded.Architectures()) == 0 {
		testenv.Skip(t, "built without stubs")
	}
	s := newSite(t)
	epoch := int64(1_600_000_000)
	build := func(umask int, epoch *int64, dir string) []byte {
		t.Helper()
		old := syscall.Umask(umask)
		defer syscall.Umask(old)
		o := s.options(t, "osg")
		o.Epoch, o.Set = epoch, []string{"CVMFS_HTTP_PROXY=DIRECT"}
		o.Output = filepath.Join(t.TempDir(), dir)
		if err := os.MkdirAll(filepath.Dir(o.Output), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Build(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		onlyOutput(t, o.Output)
		fi, err := os.Stat(o.Output)
		if err != nil || fi.Mode() != 0o755 {
			t.Errorf("mode %v, %v", fi.Mode(), err)
		}
		data, err := os.ReadFile(o.Output)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	first := build(0o022, nil, "bundle")
	set := build(0o022, &epoch, "bundle")
	if bytes.Equal(first, set) {
		t.Error("SOURCE_DATE_EPOCH changes nothing")
	}
	for start := time.Now().Unix(); time.Now().Unix() == start; {
		time.Sleep(10 * time.Millisecond) // into another second
	}
	for _, umask := range []int{0o077, 0, 0o777 &^ 0o700} {
		if !bytes.Equal(build(umask, nil, "a longer name/of a file"), first) {
			t.Errorf("umask %#o: other bytes", umask)
		}
		if !bytes.Equal(build(umask, &epoch, "x"), set) {
			t.Errorf("umask %#o, SOURCE_DATE_EPOCH: other bytes", umask)
		}
	}
}

// TestLeftovers: the directory of a build that was killed is removed by a later one,
// that of a build at work and those of others are not.
func TestLeftovers(t *testing.T) {
	dir := testenv.Dir(t)
	long := time.Now().Add(-2 * staleAfter)
	make := func(name string, old bool) string {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Join(p, "dist/usr"), 0o700); err != nil {
			t.Fatal(err)
		}
		if old {
			if err := os.Chtimes(p, long, long); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	killed, recent, other := make(".cvmfsbundle-111", true), make(".cvmfsbundle-222", false), make("cvmfsbundle-333", true)
	file := filepath.Join(dir, ".cvmfsbundle-file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, ".cvmfsbundle-link")); err != nil {
		t.Fatal(err)
	}
	err := inside(filepath.Join(dir, "out"), func(working string) error {
		if err := os.Chtimes(working, long, long); err != nil {
			return err
		}
		return inside(filepath.Join(dir, "out2"), func(string) error {
			_, err := os.Stat(working)
			return err
		})
	})
	if err != nil {
		t.Errorf("a build at work: %v", err)
	}
	for path, want := range map[string]bool{killed: false, recent: true, other: true, other + "/dist/usr": true, file: true, file[:len(file)-4] + "link": true} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", path, err == nil, want)
		}
	}
}
