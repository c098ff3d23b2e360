package unpack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
)

// candidate is a directory that may become the base.
type candidate struct {
	path   string // absolute and clean: a slash at the end would make the kernel follow a link
	shared bool   // lies in a place where everybody makes files: must be the caller's own, mode 0700
	named  bool   // the user has named it: directories above it are made too
}

// candidates lists the places in the order in which they are tried.
func candidates(o Options, kind payload.Kind, uid uint32) ([]candidate, error) {
	var list []candidate
	add := func(c candidate) error {
		p, err := filepath.Abs(c.path) // cleans too
		if err != nil {
			return fmt.Errorf("unpack directory %q: %w", c.path, err)
		}
		for _, have := range list {
			if have.path == p {
				return nil
			}
		}
		c.path = p
		list = append(list, c)
		return nil
	}
	if d := o.Getenv(DirVar); d != "" {
		if err := add(candidate{path: d, named: true}); err != nil {
			return nil, err
		}
	}
	if err := add(candidate{path: filepath.Join(filepath.Dir(o.Path), "."+string(kind))}); err != nil {
		return nil, err
	}
	for _, d := range []string{o.Getenv("XDG_RUNTIME_DIR"), o.Getenv("TMPDIR"), "/tmp", "/dev/shm"} {
		if filepath.IsAbs(d) { // a relative one would be another place in each directory
			if err := add(candidate{path: filepath.Join(d, fmt.Sprintf("%s-%d", kind, uid)), shared: true}); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// opening says what [search.open] does with a base that is not there.
type opening int

const (
	look       opening = iota // nothing: unix.ENOENT
	makeExec                  // makes it, unless the file system is mounted noexec
	makeAnyway                // makes it
)

// open opens the base c, or makes it.
func (s *search) open(c candidate, how opening) (*base, error) {
	d, err := openDir(unix.AT_FDCWD, c.path, s.owners)
	if err == unix.ENOENT && how != look {
		if err = create(c, how); err != nil {
			return nil, err
		}
		d, err = openDir(unix.AT_FDCWD, c.path, s.owners)
	}
	if err != nil {
		return nil, err
	}
	b := &base{path: c.path, dir: d, owners: s.owners}
	if err = unix.Fstatfs(d.fd(), &b.fs); err != nil {
		err = fmt.Errorf("statfs: %w", err)
	}
	if err == nil && c.shared {
		if err = b.mustBeOurs(); err == nil {
			err = checkAbove(c.path)
		}
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// create makes the directory of c. That it exists by now is no error: whose it is
// will be looked at.
func create(c candidate, how opening) error {
	mode := os.FileMode(0o755)
	if c.shared {
		mode = 0o700
	}
	if c.named {
		if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
			return err
		}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(c.path), &fs); err != nil {
		return fmt.Errorf("statfs %q: %w", filepath.Dir(c.path), err)
	}
	if fs.Flags&unix.ST_NOEXEC != 0 && how != makeAnyway {
		return errNoExec()
	}
	if err := os.Mkdir(c.path, mode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// checkAbove refuses a place in a directory where anybody may rename what is ours:
// one that others can write to and that is not sticky.
func checkAbove(path string) error {
	var st unix.Stat_t
	parent := filepath.Dir(path)
	if err := unix.Stat(parent, &st); err != nil {
		return fmt.Errorf("stat %q: %w", parent, err)
	}
	if st.Mode&0o022 != 0 && st.Mode&unix.S_ISVTX == 0 {
		return fmt.Errorf("others can write to %q, which is not sticky", parent)
	}
	return nil
}
