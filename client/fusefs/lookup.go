package fusefs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
)

// maxName is the longest name of a directory entry. The kernel's own limit for
// FUSE is 1024, which programs do not expect.
const maxName = 255

// Lookup implements LOOKUP.
func (fs *FS) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if len(name) > maxName {
		return fuse.Status(syscall.ENAMETOOLONG)
	}
	dir, ok := fs.nodes.path(h.NodeId)
	if !ok {
		return fuse.ENOENT
	}
	ctx, end := begin(cancel, h)
	defer end()
	path := dir + "/" + name
	e, err := fs.c.Tree.Lookup(ctx, path)
	switch toErrno(err) {
	case 0:
	case syscall.ENOENT:
		*out = fuse.EntryOut{} // node id 0: the kernel remembers that there is no such name
		out.SetEntryTimeout(fs.c.Timeout)
		return fuse.OK
	default:
		return fs.status("lookup", path, err)
	}
	r, ok := fs.nodes.look(h.NodeId, name, e.Inode, isShared(&e))
	if !ok {
		return fuse.ENOENT
	}
	fs.entryOut(&e, r, out)
	return fuse.OK
}

func (fs *FS) entryOut(e *catalog.Entry, r ref, out *fuse.EntryOut) {
	*out = fuse.EntryOut{NodeId: uint64(r.id), Generation: uint64(r.gen)}
	out.SetEntryTimeout(fs.c.Timeout)
	out.SetAttrTimeout(fs.c.Timeout)
	fs.attr(e, r.ino, &out.Attr)
}

// Forget implements FORGET and BATCH_FORGET.
func (fs *FS) Forget(id, n uint64) { fs.nodes.forget(id, n) }

// entry returns the path and entry of a node.
func (fs *FS) entry(ctx *opContext, id uint64) (path string, ino uint64, e catalog.Entry, err error) {
	path, ino, ok := fs.nodes.describe(id)
	if !ok {
		return "", 0, e, catalog.ErrNotFound
	}
	e, err = fs.c.Tree.Lookup(ctx, path)
	return path, ino, e, err
}

// GetAttr implements GETATTR.
func (fs *FS) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	ctx, end := begin(cancel, &in.InHeader)
	defer end()
	path, ino, e, err := fs.entry(ctx, in.NodeId)
	if err != nil {
		return fs.status("getattr", path, err)
	}
	out.SetTimeout(fs.c.Timeout)
	fs.attr(&e, ino, &out.Attr)
	return fuse.OK
}

// Readlink implements READLINK.
func (fs *FS) Readlink(cancel <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	ctx, end := begin(cancel, h)
	defer end()
	path, _, e, err := fs.entry(ctx, h.NodeId)
	switch {
	case err != nil:
		return nil, fs.status("readlink", path, err)
	case e.Kind() != catalog.Symlink:
		return nil, fuse.EINVAL
	}
	t := fs.target(&e)
	if len(t) >= 4096 { // Linux, fs/fuse/dir.c: a link has at most a page
		return nil, fuse.Status(syscall.ENAMETOOLONG)
	}
	return []byte(t), fuse.OK
}
