package unpack

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
)

// turnLimit is how long a start waits for another on the same machine to unpack
// the same tree. Should that one be stopped, both unpack.
const turnLimit = 10 * time.Second

// takeTurn waits until no other process of this machine unpacks into b, or the
// tree id is there, or turnLimit is over. It only saves work. On file systems that
// other machines write to there are no turns: a lock of a dead machine may stay.
func (b *base) takeTurn(ctx context.Context, id payload.ID) (release func()) {
	if !local(b.fs.Type) {
		return func() {}
	}
	fd, err := openat(b.fd(), ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return func() {}
	}
	release = func() { _ = unix.Close(fd) }
	for end := time.Now().Add(turnLimit); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK && err != unix.EINTR {
			return release
		}
		var st unix.Stat_t
		if unix.Fstatat(b.fd(), id.String(), &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			return release
		}
	}
	return release
}

// lockDir holds a lock on a tree being made, which tells [Tidy] that its maker
// lives. Where there are no locks it holds nothing.
func lockDir(r *os.Root) (*os.File, error) {
	f, err := r.Open(".")
	if err != nil {
		return nil, err
	}
	_ = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return f, nil
}

// local reports whether a file system of this type (statfs magic) belongs to one
// machine, so that the kernel itself releases the locks of a dead process.
func local(magic int64) bool {
	switch uint32(magic) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC,
		unix.OVERLAYFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, 0x2fc12fc1 /* zfs */ :
		return true
	}
	return false
}
