package unpack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Verdict is what [Where] says about one candidate.
type Verdict struct {
	Path     string // the base
	Unpacked bool   // the bundle's tree is there
	Usable   bool   // the first usable one is what Ensure takes
	Why      string // why it is not usable; otherwise what Ensure would do
}

// Where tells for each candidate, in order, what [Ensure] would do with it,
// without making anything. Ensure may still decide otherwise: only writing shows
// that a disk is full.
func Where(o Options) ([]Verdict, error) {
	s, err := newSearch(o)
	if err != nil {
		return nil, err
	}
	var list []Verdict
	for _, c := range s.candidates {
		v := Verdict{Path: c.path}
		unpacked, err := s.look(c)
		switch {
		case err != nil:
			v.Why = err.Error()
		case unpacked:
			v.Usable, v.Unpacked, v.Why = true, true, "unpacked"
		default:
			v.Usable, v.Why = true, "would be unpacked there"
		}
		list = append(list, v)
	}
	return list, nil
}

// look is try without doing anything.
func (s *search) look(c candidate) (unpacked bool, err error) {
	b, err := s.open(c, look)
	if errors.Is(err, unix.ENOENT) {
		return false, couldMake(c)
	}
	if err != nil {
		return false, err
	}
	defer b.close()
	if b.noexec() {
		return false, errNoExec()
	}
	tree, err := b.openTree(s.trailer.ID)
	if err == nil {
		tree.close()
		return true, nil
	}
	if err == unix.ENOENT {
		err = b.writable()
	}
	return false, err
}

// couldMake looks at the first directory above c that exists.
func couldMake(c candidate) error {
	above := filepath.Dir(c.path)
	for c.named && above != "/" {
		if _, err := os.Stat(above); err == nil {
			break
		}
		above = filepath.Dir(above)
	}
	if c.shared {
		if err := checkAbove(c.path); err != nil {
			return err
		}
	}
	if err := unix.Faccessat(unix.AT_FDCWD, above, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("%q: %w", above, err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(above, &fs); err != nil {
		return fmt.Errorf("%q: %w", above, err)
	}
	if fs.Flags&unix.ST_NOEXEC != 0 {
		return errNoExec()
	}
	return nil
}
