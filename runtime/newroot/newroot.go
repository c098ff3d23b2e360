// Package newroot lays out the root directory that the command of a bundle sees, as
// steps for a forked child in a mount namespace of its own.
//
// Where the host has a /cvmfs, a tmpfs goes over it and nothing else changes. Where it
// has none, the root becomes a tmpfs: a new one is mounted on some directory, becomes
// the root by pivot_root, and every entry of the old root is bound into it. They are
// bound after the change of roots because bound before, the directory that carries our
// tmpfs would carry it into its own copy. The old root is detached, so the host's tree
// is not visible a second time.
//
// Nothing of this lies on a disk: whatever anybody deletes there, a running command
// keeps its root (an original sin of cvmfsexec was a mount tree in a directory that
// the next start removed).
package newroot

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawfork"
)

// Entry is one entry of the host's root directory.
type Entry struct {
	Name   string
	Kind   Kind
	Target string // of a symbolic link
}

// Kind is how an entry is carried over.
type Kind byte

// Kinds of entries.
const (
	Dir  Kind = iota // a directory: bound recursively
	File             // anything else that is not a link: bound on an empty file
	Link             // a symbolic link: made again with the same target
)

// Layout says what root is wanted.
type Layout struct {
	Host    []Entry // entries of the host's root, from [Read]; not used when Cover
	Cover   bool    // the host has /cvmfs: cover it
	NewProc bool    // the child is in a pid namespace of its own: mount its /proc
}

// Read looks at the directory that is the host's root (for tests another one).
func Read(root string) (Layout, error) {
	var l Layout
	if st, err := os.Stat(root + "/cvmfs"); err == nil && st.IsDir() {
		l.Cover = true
		return l, nil
	}
	ents, err := os.ReadDir(root)
	if err != nil {
		return l, fmt.Errorf("read the root directory: %w", err)
	}
	for _, e := range ents {
		ent := Entry{Name: e.Name(), Kind: File}
		switch {
		case e.Name() == "cvmfs": // a dangling link, say: ours takes its place
			continue
		case e.IsDir():
			ent.Kind = Dir
		case e.Type()&fs.ModeSymlink != 0:
			ent.Kind = Link
			if ent.Target, err = os.Readlink(root + "/" + e.Name()); err != nil {
				continue
			}
		}
		l.Host = append(l.Host, ent)
	}
	return l, nil
}

// carriers are directories that may carry the tmpfs for the moment before it becomes
// the root: any will do.
var carriers = []string{"/tmp", "/mnt", "/var", "/usr", "/etc", "/dev"}

const tmpfsOptions = "mode=0755,size=16m"

// Steps are the step numbers by which a failure of a layout is told from others.
type Steps struct {
	Proc int // mount of the new /proc; -1 without
}

// AddTo adds the layout to t. Afterwards /cvmfs is an empty, writable tmpfs (or a
// directory of one); [Seal] makes it read-only when the repositories are mounted.
func (l Layout) AddTo(t *rawfork.Table) Steps {
	out := Steps{Proc: -1}
	// slave: what the host mounts later appears inside, nothing of ours outside
	mount(t, "make / slave", "none", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	if l.Cover {
		mount(t, "mount a tmpfs on /cvmfs", "tmpfs", "/cvmfs", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, tmpfsOptions)
		if l.NewProc {
			out.Proc = l.proc(t)
		}
		return out
	}
	const old = rawfork.Reg(0)
	t.Call("open /", unix.SYS_OPENAT, rawfork.Int(unix.AT_FDCWD), t.Str("/"), rawfork.Int(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)).Into(old)
	l.enter(t)
	// from here on the working directory is the old root, absolute paths the new one
	t.Call("chdir to the old root", unix.SYS_FCHDIR, rawfork.Val(old))
	for _, e := range l.Host {
		if e.Name == "proc" && l.NewProc {
			continue
		}
		e.carry(t)
	}
	t.Call("mkdir /cvmfs", unix.SYS_MKDIRAT, rawfork.Int(unix.AT_FDCWD), t.Str("/cvmfs"), rawfork.Int(0o755))
	if l.NewProc {
		// while the old one is still there: the kernel wants to see a complete one
		out.Proc = l.proc(t)
	}
	t.Call("detach the old root", unix.SYS_UMOUNT2, t.Str("."), rawfork.Int(unix.MNT_DETACH)).Ignore()
	t.Call("close", unix.SYS_CLOSE, rawfork.Val(old))
	t.Call("chdir /", unix.SYS_CHDIR, t.Str("/"))
	return out
}

// enter makes a tmpfs the root.
func (l Layout) enter(t *rawfork.Table) {
	done := t.NewLabel()
	found := t.NewLabel()
	for i, dir := range carriers {
		next := t.NewLabel()
		s := mount(t, "mount the new root on "+dir, "tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, tmpfsOptions)
		if i < len(carriers)-1 {
			s.OnError(next)
		}
		t.Call("chdir "+dir, unix.SYS_CHDIR, t.Str(dir))
		t.Jump(found)
		t.Place(next)
	}
	t.Place(found)
	moved := t.NewLabel()
	t.Call("pivot_root", unix.SYS_PIVOT_ROOT, t.Str("."), t.Str(".")).OnError(moved)
	t.Jump(done)
	// On a ramdisk root pivot_root is EINVAL (pivot_root(2)): move the new root over
	// the old one. The old root stays, covered.
	t.Place(moved)
	mount(t, "move the new root to /", ".", "/", "", unix.MS_MOVE, "")
	t.Call("chroot", unix.SYS_CHROOT, t.Str("."))
	t.Place(done)
}

// carry binds or copies an entry of the old root, the working directory, into the new
// one. What cannot be carried is left out.
func (e Entry) carry(t *rawfork.Table) {
	dst := "/" + e.Name
	next, undo := t.NewLabel(), t.NewLabel()
	removeFlag := 0
	switch e.Kind {
	case Link:
		t.Call("symlink "+dst, unix.SYS_SYMLINKAT, t.Str(e.Target), rawfork.Int(unix.AT_FDCWD), t.Str(dst)).Ignore()
		t.Place(next)
		t.Place(undo)
		return
	case Dir:
		t.Call("mkdir "+dst, unix.SYS_MKDIRAT, rawfork.Int(unix.AT_FDCWD), t.Str(dst), rawfork.Int(0o755)).OnError(next)
		removeFlag = unix.AT_REMOVEDIR
	default:
		t.Call("make "+dst, unix.SYS_MKNODAT, rawfork.Int(unix.AT_FDCWD), t.Str(dst), rawfork.Int(unix.S_IFREG|0o644), rawfork.Int(0)).OnError(next)
	}
	// the name is relative: from the old root
	mount(t, "bind "+dst, "./"+e.Name, dst, "", unix.MS_BIND|unix.MS_REC, "").OnError(undo)
	t.Jump(next)
	t.Place(undo)
	t.Call("remove "+dst, unix.SYS_UNLINKAT, rawfork.Int(unix.AT_FDCWD), t.Str(dst), rawfork.Int(removeFlag)).Ignore()
	t.Place(next)
}

func (l Layout) proc(t *rawfork.Table) int {
	t.Call("mkdir /proc", unix.SYS_MKDIRAT, rawfork.Int(unix.AT_FDCWD), t.Str("/proc"), rawfork.Int(0o555)).Ignore()
	return mount(t, "mount /proc", "proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "").Index()
}

func mount(t *rawfork.Table, name, source, target, fstype string, flags uintptr, data string) rawfork.Step {
	null := func(s string) rawfork.Arg {
		if s == "" {
			return rawfork.Int(0)
		}
		return t.Str(s)
	}
	return t.Call(name, unix.SYS_MOUNT, t.Str(source), t.Str(target), null(fstype), rawfork.Int(flags), null(data))
}

// Sealed returns the directory whose mount is made read-only once the repositories are
// mounted: the new root, or the tmpfs on /cvmfs.
func (l Layout) Sealed() string {
	if l.Cover {
		return "/cvmfs"
	}
	return "/"
}

// Seal makes the mount at dir read-only for this mount namespace.
func Seal(dir string) error {
	if err := unix.Mount("none", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", dir, err)
	}
	return nil
}
