package clientproc

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// firstFD is where our own descriptors begin: the client's fixed ones are below.
const firstFD = 10

// High moves a descriptor to a free number of 10 or more, close-on-exec, and closes
// the old one.
func High(f *os.File) (*os.File, error) {
	defer f.Close()
	return Dup(f)
}

// Dup duplicates a descriptor to a free number of 10 or more, close-on-exec.
func Dup(f *os.File) (*os.File, error) {
	n, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, firstFD)
	if err != nil {
		return nil, fmt.Errorf("duplicate a descriptor: %w", err)
	}
	return os.NewFile(uintptr(n), f.Name()), nil
}

// ConfigFile puts a client's configuration into a file without a name. state is a
// directory for kernels without memfd_create.
func ConfigFile(content []byte, state string) (*os.File, error) {
	f, err := anonymous(state)
	if err != nil {
		return nil, fmt.Errorf("file for the client's configuration: %w", err)
	}
	if _, err := f.Write(content); err != nil {
		f.Close()
		return nil, fmt.Errorf("file for the client's configuration: %w", err)
	}
	return High(f)
}

func anonymous(dir string) (*os.File, error) {
	fd, err := unix.MemfdCreate("config", unix.MFD_CLOEXEC)
	if err == nil {
		return os.NewFile(uintptr(fd), "config"), nil
	}
	if !errors.Is(err, unix.ENOSYS) {
		return nil, err
	}
	f, err := os.CreateTemp(dir, ".config-*")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// FreeFDs returns n descriptor numbers of 10 and more that nobody uses, by taking them:
// they stay open on null, close-on-exec, until something is duplicated over them.
func FreeFDs(null *os.File, n int) ([]int, error) {
	fds := make([]int, 0, n)
	for range n {
		fd, err := unix.FcntlInt(null.Fd(), unix.F_DUPFD_CLOEXEC, firstFD)
		if err != nil {
			return fds, fmt.Errorf("reserve descriptors: %w", err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// Foreign returns the descriptors above 2 that are not close-on-exec: all of ours are,
// so these are what the caller wants the command to have.
func Foreign() ([]int, error) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, name := range names {
		var fd int
		if _, err := fmt.Sscan(name, &fd); err != nil || fd <= 2 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			out = append(out, fd)
		}
	}
	return out, nil
}
