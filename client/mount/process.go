package mount

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// setComm names the process as upstream's is named, whatever the executable's file
// is called: scripts look for that name in ps. It is a courtesy and may fail.
func setComm(name string) { os.WriteFile("/proc/self/comm", []byte(name), 0) }

// raiseFiles lets the process open want files. It returns how many it may, with an
// error when these are fewer.
func raiseFiles(want uint64) (uint64, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, err
	}
	if r.Max >= want {
		r.Cur = max(r.Cur, want)
		return r.Cur, unix.Setrlimit(unix.RLIMIT_NOFILE, &r)
	}
	err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: want, Max: want})
	if err == nil {
		return want, nil
	}
	r.Cur = r.Max
	if serr := unix.Setrlimit(unix.RLIMIT_NOFILE, &r); serr != nil {
		return 0, serr
	}
	return r.Cur, err
}

// maxFiles returns how many files the process may open.
func maxFiles() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(min(r.Cur, 1<<30))
}

// become gives up all other users and groups for good.
func become(uid, gid int) error {
	if uid == os.Getuid() && uid == os.Geteuid() && gid == os.Getgid() && gid == os.Getegid() {
		return nil
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return err
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return err
	}
	return syscall.Setresuid(uid, uid, uid)
}

// machine returns what uname -m prints.
func machine() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Machine[:])
}
