package fetch

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

var errNoSpace = errors.New("no room for the object")

// spill holds objects that the cache has no room for: in memory as long as there
// is some of that left, else in unnamed files of the directory for temporary files.
type spill struct {
	mu   sync.Mutex
	free int64 // bytes of memory left
}

// spilled is an object in a spill.
type spilled struct {
	s        *spill
	f        *os.File
	size     int64
	memory   bool
	reserved int64 // bytes of memory
}

// create makes room for an object of the size, negative if unknown.
func (s *spill) create(size int64) (*spilled, error) {
	x := &spilled{s: s}
	if size < 0 || s.take(size) {
		fd, err := unix.MemfdCreate("cvmfs object", unix.MFD_CLOEXEC)
		if err == nil {
			x.f, x.memory, x.reserved = os.NewFile(uintptr(fd), "memory"), true, max(size, 0)
			return x, nil
		}
		s.give(max(size, 0))
	}
	fd, err := unix.Open(os.TempDir(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: temporary file in %q: %w", errNoSpace, os.TempDir(), err)
	}
	x.f = os.NewFile(uintptr(fd), os.TempDir())
	return x, nil
}

func (s *spill) take(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.free {
		return false
	}
	s.free -= n
	return true
}

func (s *spill) give(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
}

func (x *spilled) Write(p []byte) (int, error) {
	if more := x.size + int64(len(p)) - x.reserved; x.memory && more > 0 {
		if !x.s.take(more) {
			return 0, errNoSpace
		}
		x.reserved += more
	}
	n, err := x.f.Write(p)
	x.size += int64(n)
	return n, err
}

// release gives the memory back, after the file was closed.
func (x *spilled) release() { x.s.give(x.reserved) }

func (x *spilled) close() {
	x.f.Close()
	x.release()
}
