package readonlytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// nameChecks are about paths, links and what stat says of them.
func nameChecks() []Check {
	stat := func(p string) error { return unix.Stat(p, new(unix.Stat_t)) }
	readlink := func(p string) error { _, err := unix.Readlink(p, make([]byte, 10)); return err }
	type op struct {
		name, path string
		call       func(string) error
		want       unix.Errno
	}
	ops := []op{
		{"absent", "absent", stat, unix.ENOENT},
		{"absent, again (cached by the kernel)", "absent", stat, unix.ENOENT},
		{"below a file", File + "/x", stat, unix.ENOTDIR},
		{"below an absent directory", "absent/x", stat, unix.ENOENT},
		{"too long", strings.Repeat("n", 256), stat, unix.ENAMETOOLONG},
		{"as long as may be", strings.Repeat("n", 255), stat, unix.ENOENT},
		{"link to itself", Loop, stat, unix.ELOOP},
		{"link to nowhere", Dangling, stat, unix.ENOENT},
		{"readlink of a file", File, readlink, unix.EINVAL},
		{"readlink of a directory", Dir, readlink, unix.EINVAL},
		{"open a link itself", Link, open(unix.O_RDONLY|unix.O_NOFOLLOW, 0), unix.ELOOP},
		{"open a file as directory", File, open(unix.O_RDONLY|unix.O_DIRECTORY, 0), unix.ENOTDIR},
		{"absent attribute", File, func(p string) error { _, err := unix.Getxattr(p, "user.absent", nil); return err }, unix.ENODATA},
		{"execute a directory", Dir, func(p string) error { return unix.Exec(p, []string{p}, nil) }, unix.EACCES},
		{"execute a file that may not be", File, func(p string) error { return unix.Exec(p, []string{p}, nil) }, unix.EACCES},
	}
	var checks []Check
	for _, o := range ops {
		checks = append(checks, Check{"name: " + o.name, func(dir string) error {
			return refused(o.name, o.call(filepath.Join(dir, o.path)), o.want)
		}})
	}
	return append(checks, Check{"name: link targets", links}, Check{"name: hard links", hardLinks},
		Check{"name: stat and fstat agree", statAgrees}, Check{"name: statfs", statfs}, Check{"name: unreadable file", secret})
}

func links(dir string) error {
	for name, want := range map[string]string{Link: File, Dangling: "nowhere/at/all", Loop: Loop} {
		got, err := os.Readlink(filepath.Join(dir, name))
		if err != nil || got != want {
			return fmt.Errorf("readlink %s = %q, %v; want %q", name, got, err, want)
		}
		fi, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || fi.Size() != int64(len(want)) {
			return fmt.Errorf("size of %s is %d, %v; want %d", name, fi.Size(), err, len(want))
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, Link))
	if err != nil || string(data) != FileText {
		return fmt.Errorf("read through the link: %q, %v", data, err)
	}
	return nil
}

func hardLinks(dir string) error {
	var a, b, other unix.Stat_t
	for name, st := range map[string]*unix.Stat_t{HardA: &a, HardB: &b, File: &other} {
		if err := unix.Stat(filepath.Join(dir, name), st); err != nil {
			return err
		}
	}
	if a.Ino != b.Ino || a.Nlink != 2 || b.Nlink != 2 || a.Ino == other.Ino {
		return fmt.Errorf("inodes %d and %d, links %d and %d, other inode %d", a.Ino, b.Ino, a.Nlink, b.Nlink, other.Ino)
	}
	return nil
}

func statAgrees(dir string) error {
	for _, name := range []string{"", File, Dir, Big, Empty} {
		p := filepath.Join(dir, name)
		fd, err := unix.Open(p, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		var a, b unix.Stat_t
		err = unix.Stat(p, &a)
		if err == nil {
			err = unix.Fstat(fd, &b)
		}
		unix.Close(fd)
		a.Atim, b.Atim = unix.Timespec{}, unix.Timespec{}
		if err != nil || a != b {
			return fmt.Errorf("%q: stat %+v, fstat %+v, %v", name, a, b, err)
		}
	}
	return nil
}

func statfs(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return err
	}
	if st.Type != unix.FUSE_SUPER_MAGIC || st.Flags&unix.ST_RDONLY == 0 || st.Flags&unix.ST_NOSUID == 0 || st.Bsize == 0 {
		return fmt.Errorf("statfs %+v", st)
	}
	return nil
}

func secret(dir string) error {
	_, err := os.ReadFile(filepath.Join(dir, Secret))
	if os.Getuid() == 0 {
		return err // root reads everything
	}
	return refused("read a file of mode 0000", err, unix.EACCES)
}
