// Package maps writes the id maps of a user namespace, as steps of a forked child.
package maps

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawfork"
)

// Add maps one uid and one gid of the child's new user namespace to those of its
// parent namespace. The child writes its own maps, through /proc/self: its pid in a new
// pid namespace is somebody else's in the /proc that it sees (user_namespaces(7)). An
// unprivileged process may map its gid only after it has given up setgroups.
func Add(t *rawfork.Table, uid, hostUID, gid, hostGID int) {
	write(t, "/proc/self/setgroups", "deny", true)
	write(t, "/proc/self/uid_map", fmt.Sprintf("%d %d 1", uid, hostUID), false)
	write(t, "/proc/self/gid_map", fmt.Sprintf("%d %d 1", gid, hostGID), false)
}

// write writes text to a file; an optional file may be missing (/proc/self/setgroups
// came with Linux 3.19).
func write(t *rawfork.Table, file, text string, optional bool) {
	const fd = rawfork.Reg(1)
	next := t.NewLabel()
	open := t.Call("open "+file, unix.SYS_OPENAT, rawfork.Int(unix.AT_FDCWD), t.Str(file), rawfork.Int(unix.O_WRONLY|unix.O_CLOEXEC)).Into(fd)
	if optional {
		open.OnError(next)
	}
	t.Call("write "+file, unix.SYS_WRITE, rawfork.Val(fd), t.Str(text), rawfork.Int(len(text)))
	t.Call("close "+file, unix.SYS_CLOSE, rawfork.Val(fd))
	t.Place(next)
}
