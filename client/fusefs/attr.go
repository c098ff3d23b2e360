package fusefs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
)

const (
	blockSize = 512  // what st_blocks counts
	ioSize    = 4096 // st_blksize
)

// attr fills in the attributes of an entry that shows the inode number ino.
func (fs *FS) attr(e *catalog.Entry, ino uint64, a *fuse.Attr) {
	size := e.Size
	if e.Kind() == catalog.Symlink {
		size = int64(len(fs.target(e)))
	}
	size = max(size, 0)
	*a = fuse.Attr{
		Ino:       ino,
		Size:      uint64(size),
		Blocks:    1 + uint64(size)/blockSize,
		Atime:     uint64(e.Mtime),
		Mtime:     uint64(e.Mtime),
		Ctime:     uint64(e.Mtime),
		Atimensec: e.MtimeNsec,
		Mtimensec: e.MtimeNsec,
		Ctimensec: e.MtimeNsec,
		Mode:      fs.mode(e),
		Nlink:     e.Nlink,
		Owner:     fs.owner(e),
		Rdev:      uint32(e.Rdev), // the low half of glibc's dev_t is the kernel's form
		Blksize:   ioSize,
	}
}

func (fs *FS) mode(e *catalog.Entry) uint32 {
	switch {
	case !fs.c.WorldReadable:
		return e.Mode
	case e.IsDir():
		return e.Mode | 0o555
	}
	return e.Mode | 0o444
}

func (fs *FS) owner(e *catalog.Entry) fuse.Owner {
	if o := fs.c.Owner; o != nil {
		return fuse.Owner{Uid: o.UID, Gid: o.GID}
	}
	o := fuse.Owner{Uid: e.UID, Gid: e.GID}
	if fs.c.UIDs != nil {
		o.Uid = fs.c.UIDs.Map(o.Uid)
	}
	if fs.c.GIDs != nil {
		o.Gid = fs.c.GIDs.Map(o.Gid)
	}
	return o
}

// target returns where a symbolic link leads.
func (fs *FS) target(e *catalog.Entry) string {
	if fs.c.Env == nil {
		return e.Symlink
	}
	return catalog.ExpandSymlink(e.Symlink, fs.c.Env)
}

// isShared reports whether other names may have the same inode number.
func isShared(e *catalog.Entry) bool { return e.LinkGroup != 0 }
