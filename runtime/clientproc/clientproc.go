// Package clientproc starts the client of a repository, upstream's cvmfs2 or ours,
// the same way: the runtime mounts a fuse file system itself and gives the client the
// /dev/fuse descriptor, in the foreground:
//
//	cvmfs2 -o config=/proc/self/fd/4,simple_options_parsing REPO /dev/fd/3 -f
//
// Mounting so needs no libfuse helper, and the answer to the first statfs tells that
// the client is ready. The client has its own session, so that Ctrl-C and Ctrl-Z of
// the user's terminal do not reach it, and dies with the process that started it.
package clientproc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawfork"
)

// Descriptors of the client.
const (
	fuseFD   = 3
	configFD = 4
)

// Client says how the client of a dist tree is started.
type Client struct {
	Dist string // the dist tree, an absolute path
	Libs string // directory for LD_LIBRARY_PATH and CVMFS_LIBRARY_PATH; "" for a static client
	Env  []string
}

// New describes the client in dist. env is the caller's environment; the client gets
// it without what could change how it runs ([scrub]).
func New(dist string, env []string) Client {
	c := Client{Dist: dist, Env: scrub(env)}
	for _, lib := range []string{"usr/lib64", "usr/lib"} {
		dir := filepath.Join(dist, lib)
		if m, _ := filepath.Glob(globEscape(dir) + "/libcvmfs_fuse*.so*"); len(m) > 0 {
			c.Libs = dir
			break
		}
	}
	if c.Libs == "" {
		return c
	}
	path := c.Libs
	if _, err := os.Lstat(filepath.Join(c.Libs, "libfuse.so.2")); err != nil {
		// EL 7 keeps the fuse library in /lib64
		for _, lib := range []string{"lib64", "lib"} {
			if d := filepath.Join(dist, lib); isDir(d) {
				path += ":" + d
				break
			}
		}
	}
	c.Env = append(c.Env, "LD_LIBRARY_PATH="+path, "CVMFS_LIBRARY_PATH="+c.Libs)
	return c
}

func isDir(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.IsDir()
}

// globEscape protects the characters that filepath.Glob gives a meaning.
func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// Path returns the client's program.
func (c Client) Path() string { return filepath.Join(c.Dist, "usr/bin/cvmfs2") }

// Args returns the client's argument vector for one repository.
func (c Client) Args(repo string, debug bool) []string {
	opts := fmt.Sprintf("config=/proc/self/fd/%d,simple_options_parsing", configFD)
	if debug {
		opts += ",debug"
	}
	return []string{c.Path(), "-o", opts, repo, fmt.Sprintf("/dev/fd/%d", fuseFD), "-f"}
}

// Mount is one repository to be mounted and served. All descriptors are close-on-exec
// and have numbers of 10 and more.
type Mount struct {
	Repo   string
	Dir    string   // mount point, made if it is missing
	Config *os.File // literal KEY=VALUE lines, [ConfigFile]
	Output *os.File // the client's stdout and stderr, usually a pipe
	FuseFD int      // a free descriptor number for /dev/fuse
	Debug  bool     // start the client with its debug option

	DefaultPermissions bool // the kernel checks permissions (CVMFS_CHECK_PERMISSIONS)
}

// MountData returns the data argument of mount(2) for a fuse file system that is
// served on descriptor fd (linux/Documentation/filesystems/fuse.rst).
func MountData(fd int, defaultPermissions bool) string {
	s := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)
	if defaultPermissions {
		s += ",default_permissions"
	}
	return s
}

// MountFlags are the flags of every fuse mount of ours.
const MountFlags = unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOSUID

// Fork describes how the client's process is made.
type Fork struct {
	Null     int    // a descriptor of /dev/null
	Foreign  []int  // the caller's descriptors, closed in the client
	PidSpace []byte // 4 bytes that the kernel writes the client's pid to
	PidTo    int    // descriptor that these are written to; -1: nowhere
	Watch    int    // descriptor that hangs up when the starter is gone; -1: none

	NoFile unix.Rlimit // RLIMIT_NOFILE of the client
}

// AddTo adds the steps that mount m and fork its client to t. It returns the index
// of the mount step, for messages.
func (m Mount) AddTo(t *rawfork.Table, c Client, f Fork) int {
	const dev = rawfork.Reg(rawfork.NumReg - 1)
	child, next := t.NewLabel(), t.NewLabel()
	t.Call("mkdir "+m.Dir, unix.SYS_MKDIRAT, rawfork.Int(unix.AT_FDCWD), t.Str(m.Dir), rawfork.Int(0o755)).Ignore()
	t.Call("open /dev/fuse", unix.SYS_OPENAT, rawfork.Int(unix.AT_FDCWD), t.Str("/dev/fuse"), rawfork.Int(unix.O_RDWR|unix.O_CLOEXEC)).Into(dev)
	t.Call("dup /dev/fuse", unix.SYS_DUP3, rawfork.Val(dev), rawfork.Int(m.FuseFD), rawfork.Int(unix.O_CLOEXEC))
	t.Call("close /dev/fuse", unix.SYS_CLOSE, rawfork.Val(dev))
	mount := t.Call("mount "+m.Dir, unix.SYS_MOUNT, t.Str("cvmfs2"), t.Str(m.Dir), t.Str("fuse"), rawfork.Int(MountFlags),
		t.Str(MountData(m.FuseFD, m.DefaultPermissions)))
	t.ForkPid(child, f.PidSpace)
	if f.PidTo >= 0 {
		t.Call("tell the client's pid", unix.SYS_WRITE, rawfork.Int(f.PidTo), t.Bytes(f.PidSpace), rawfork.Int(4))
	}
	t.Call("close /dev/fuse", unix.SYS_CLOSE, rawfork.Int(m.FuseFD))
	t.Jump(next)
	t.Place(child)
	m.AddChild(t, c, f)
	t.Place(next)
	return mount.Index()
}

// AddChild adds the steps of the client's own process to t: it executes the client.
func (m Mount) AddChild(t *rawfork.Table, c Client, f Fork) {
	t.Call("setsid", unix.SYS_SETSID).Ignore()
	t.Call("death signal", unix.SYS_PRCTL, rawfork.Int(unix.PR_SET_PDEATHSIG), rawfork.Int(unix.SIGKILL))
	if f.Watch >= 0 {
		// the starter may have died before the death signal was set
		Alive(t, f.Watch)
	}
	for fd, from := range [...]int{0: f.Null, 1: int(m.Output.Fd()), 2: int(m.Output.Fd()), fuseFD: m.FuseFD, configFD: int(m.Config.Fd())} {
		t.Call("dup", unix.SYS_DUP3, rawfork.Int(from), rawfork.Int(fd), rawfork.Int(0))
	}
	for _, fd := range f.Foreign {
		if fd > configFD {
			t.Call("close", unix.SYS_CLOSE, rawfork.Int(fd)).Ignore()
		}
	}
	DefaultSignals(t)
	// last: a low limit forbids the descriptors above it, and ours may be
	t.Call("limit of open files", unix.SYS_PRLIMIT64, rawfork.Int(0), rawfork.Int(unix.RLIMIT_NOFILE), t.Words(f.NoFile.Cur, f.NoFile.Max), rawfork.Int(0)).Ignore()
	t.Call("chdir /", unix.SYS_CHDIR, t.Str("/"))
	t.Exec("execute "+c.Path(), unix.SYS_EXECVE, t.Str(c.Path()), t.Strv(c.Args(m.Repo, m.Debug)), t.Strv(c.Env))
}

// Alive adds steps that end the child when the other end of fd is closed.
func Alive(t *rawfork.Table, fd int) {
	pollfd := t.Bytes(pollFD(fd))
	t.Call("see whether the parent lives", unix.SYS_PPOLL, pollfd, rawfork.Int(1), t.Words(0, 0), rawfork.Int(0), rawfork.Int(8)).Refuse()
}

// pollFD is a struct pollfd that asks for hang-ups alone.
func pollFD(fd int) []byte {
	b := make([]byte, 8)
	b[0], b[1], b[2], b[3] = byte(fd), byte(fd>>8), byte(fd>>16), byte(fd>>24) // every supported machine is little endian
	return b
}

// DefaultSignals adds steps that unblock every signal and stop ignoring those that a
// caller may have ignored and the Go runtime leaves alone.
func DefaultSignals(t *rawfork.Table) {
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT} {
		t.Call("sigaction", unix.SYS_RT_SIGACTION, rawfork.Int(sig), t.Words(0, 0, 0, 0), rawfork.Int(0), rawfork.Int(8)).Ignore()
	}
	t.Call("sigprocmask", unix.SYS_RT_SIGPROCMASK, rawfork.Int(unix.SIG_SETMASK), t.Words(0), rawfork.Int(0), rawfork.Int(8)).Ignore()
}
