// Command fusefd mounts a FUSE file system on a directory and executes a client with
// the /dev/fuse descriptor, as container runtimes do. Tests use it.
//
//	fusefd DIR N PROGRAM [ARGUMENT...]
//
// The program has the descriptor under the number N.
package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: fusefd DIR N PROGRAM [ARGUMENT...]")
		return 2
	}
	err := mount(args[0], args[1])
	if err == nil {
		err = unix.Exec(args[2], args[2:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, "fusefd:", err)
	return 1
}

func mount(dir, number string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	data := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", fd, os.Geteuid(), os.Getegid())
	if err := unix.Mount("cvmfs2", dir, "fuse", unix.MS_RDONLY|unix.MS_NODEV|unix.MS_NOSUID, data); err != nil {
		return err
	}
	if fd == n {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
		return err
	}
	return unix.Dup3(fd, n, 0)
}
