package fetch

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"golang.org/x/sys/unix"
)

// TestUnwritableCache takes the cache away while it is in use.
func TestUnwritableCache(t *testing.T) {
	pub, server := publish(t)
	small, big := hashOf(t, pub.Objects("small")[0]), hashOf(t, pub.Objects("big")[0])
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
	if err := os.RemoveAll(s.cacheDir); err != nil {
		t.Fatal(err)
	}
	s.spill.free = 1 << 20 // the big file goes to a temporary file
	t.Setenv("TMPDIR", testenv.Dir(t))
	for h, size := range map[object.Hash]int64{small: 13, big: 3 << 20} {
		for _, known := range []int64{size, -1} {
			if h == big && known < 0 {
				continue
			}
			f, err := s.Object(t.Context(), h, object.File, object.Zlib, known, "file")
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if f.Size() != size || int64(len(bytesOf(t, f))) != size {
				t.Errorf("%d bytes: wrong content", size)
			}
			if h == small && s.spill.free != 1<<20-13 {
				t.Errorf("memory left while the file is open: %d", s.spill.free)
			}
			f.Close()
			f.Close()
			if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
				t.Errorf("read after close: %v", err)
			}
		}
	}
	if _, err := s.Object(t.Context(), big, object.File, object.Zlib, -1, "file"); !errors.Is(err, errNoSpace) {
		t.Errorf("too much for memory: %v", err)
	}
	if s.spill.free != 1<<20 {
		t.Errorf("memory left at the end: %d", s.spill.free)
	}
}

// TestFullDisk has a cache on a disk that is full before the object is complete.
func TestFullDisk(t *testing.T) {
	testenv.Needs(t, testenv.RootUser)
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		testenv.Skip(t, "cannot mount a tmpfs: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	pub, server := publish(t)
	s := newSetup(t, fqrn, pub.PublicKeyPEM, filepath.Join(disk, "cache"), nil, server.ConfigURL())
	f, err := s.Object(t.Context(), hashOf(t, pub.Objects("big")[0]), object.File, object.Zlib, 3<<20, "big file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(bytesOf(t, f)) != 3<<20 {
		t.Error("wrong content")
	}
	s.leftovers(t)
}
