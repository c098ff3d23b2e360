package unpack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// owners are the users whose directories are trusted, besides root.
type owners struct {
	self uint32 // the caller
	file uint32 // the owner of the bundle file
}

// errUntrusted is wrapped when a directory is there but not to be used.
var errUntrusted = errors.New("not trusted")

// refuse returns why a directory with st is not to be used, or nil.
func (o owners) refuse(st *unix.Stat_t) error {
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%w: not a directory", errUntrusted)
	case st.Uid != o.self && st.Uid != 0 && st.Uid != o.file:
		return fmt.Errorf("%w: it belongs to uid %d, who is neither you, root nor the owner of the bundle", errUntrusted, st.Uid)
	case st.Mode&0o022 != 0:
		return fmt.Errorf("%w: its mode %04o lets others write to it (chmod go-w)", errUntrusted, st.Mode&0o7777)
	}
	return nil
}

// dir is an open directory that has passed [owners.refuse].
type dir struct {
	file *os.File // O_PATH
	st   unix.Stat_t
}

func (d *dir) fd() int { return int(d.file.Fd()) }

func (d *dir) close() { d.file.Close() }

// openDir opens name in the directory at (or AT_FDCWD), which must be a real
// directory of the right owner. The error is unix.ENOENT itself when it is not
// there.
func openDir(at int, name string, o owners) (*dir, error) {
	fd, err := openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW)
	switch {
	case err == unix.ENOENT:
		return nil, err
	case err == unix.ENOTDIR || err == unix.ELOOP:
		return nil, fmt.Errorf("%w: %q is a file or a symbolic link, not a directory", errUntrusted, filepath.Base(name))
	case err != nil:
		return nil, fmt.Errorf("open: %w", err)
	}
	d := &dir{file: os.NewFile(uintptr(fd), name)}
	if err = unix.Fstat(fd, &d.st); err == nil {
		err = o.refuse(&d.st)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func openat(at int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(at, name, flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}
