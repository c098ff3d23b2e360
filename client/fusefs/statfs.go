package fusefs

import "github.com/hanwen/go-fuse/v2/fuse"

// StatFs implements STATFS: the cache as space, the repository's entries as files,
// and among them as free the ones whose catalogs are not loaded.
func (fs *FS) StatFs(cancel <-chan struct{}, h *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	ctx, end := begin(cancel, h)
	defer end()
	*out = fuse.StatfsOut{Bsize: blockSize, Frsize: blockSize, NameLen: maxName}
	if fs.c.Usage != nil {
		u := fs.c.Usage()
		if u.Capacity > 0 {
			out.Blocks = uint64(u.Capacity / blockSize)
			out.Bfree = uint64(max(u.Capacity-u.Used, 0) / blockSize)
			out.Bavail = out.Bfree
		} else {
			out.Blocks = uint64(u.Used / blockSize)
		}
	}
	if fs.c.Entries != nil {
		all, loaded := fs.c.Entries(ctx)
		out.Files = uint64(max(all, 0))
		out.Ffree = uint64(max(all-loaded, 0))
	}
	return fuse.OK
}
