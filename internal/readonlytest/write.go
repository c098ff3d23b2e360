package readonlytest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// refused checks that a call failed with one of the given errors.
func refused(what string, err error, want ...unix.Errno) error {
	for _, w := range want {
		if errors.Is(err, w) {
			return nil
		}
	}
	return fmt.Errorf("%s: %v, want %v", what, err, want)
}

func open(flags int, perm uint32) func(path string) error {
	return func(path string) error {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, perm)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

// writeChecks are the operations that change something: all are refused with EROFS.
func writeChecks() []Check {
	type op struct {
		name, path string
		call       func(path string) error
		want       []unix.Errno
	}
	rofs := []unix.Errno{unix.EROFS}
	exist := []unix.Errno{unix.EEXIST}
	ops := []op{
		{"open for writing", File, open(unix.O_WRONLY, 0), rofs},
		{"open for reading and writing", File, open(unix.O_RDWR, 0), rofs},
		{"open and truncate", File, open(unix.O_RDONLY|unix.O_TRUNC, 0), rofs},
		{"open to append", File, open(unix.O_WRONLY|unix.O_APPEND, 0), rofs},
		{"create", "new", open(unix.O_CREAT|unix.O_WRONLY, 0o644), rofs},
		{"create exclusively what exists", File, open(unix.O_CREAT|unix.O_EXCL|unix.O_RDONLY, 0o644), exist},
		{"open a directory for writing", Dir, open(unix.O_WRONLY, 0), []unix.Errno{unix.EISDIR, unix.EROFS}},
		{"mkdir", "new", func(p string) error { return unix.Mkdir(p, 0o755) }, rofs},
		{"mkdir on a file", File, func(p string) error { return unix.Mkdir(p, 0o755) }, exist},
		{"mknod", "new", func(p string) error { return unix.Mknod(p, unix.S_IFIFO|0o644, 0) }, rofs},
		{"unlink", File, unix.Unlink, rofs},
		{"rmdir", Dir, unix.Rmdir, rofs},
		{"rename", File, func(p string) error { return unix.Rename(p, p+"2") }, rofs},
		{"link", File, func(p string) error { return unix.Link(p, p+"2") }, rofs},
		{"symlink", "new", func(p string) error { return unix.Symlink("x", p) }, rofs},
		{"truncate", File, func(p string) error { return unix.Truncate(p, 0) }, rofs},
		{"chmod", File, func(p string) error { return unix.Chmod(p, 0o600) }, rofs},
		{"chown", File, func(p string) error { return unix.Chown(p, os.Getuid(), os.Getgid()) }, rofs},
		{"utimes", File, func(p string) error { return unix.Utimes(p, make([]unix.Timeval, 2)) }, rofs},
		{"setxattr", File, func(p string) error { return unix.Setxattr(p, "user.new", []byte("x"), 0) }, rofs},
		{"removexattr", File, func(p string) error { return unix.Removexattr(p, "user.new") }, rofs},
		{"access for writing", File, func(p string) error { return unix.Access(p, unix.W_OK) }, rofs},
	}
	var checks []Check
	for _, o := range ops {
		checks = append(checks, Check{"write: " + o.name, func(dir string) error {
			return refused(o.name, o.call(filepath.Join(dir, o.path)), o.want...)
		}})
	}
	return checks
}
