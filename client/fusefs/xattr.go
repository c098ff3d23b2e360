package fusefs

import (
	"context"
	"slices"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
)

// GetXAttr implements GETXATTR. The attributes of the client's own win over those
// in the catalog.
func (fs *FS) GetXAttr(cancel <-chan struct{}, h *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	ctx, end := begin(cancel, h)
	defer end()
	path, _, e, err := fs.entry(ctx, h.NodeId)
	if err != nil {
		return 0, fs.status("getxattr", path, err)
	}
	value, ok, err := fs.magicValue(ctx, &subject{path, &e}, name)
	if !ok && err == nil && e.HasXattrs {
		value, ok, err = fs.realValue(ctx, path, name)
	}
	switch {
	case err != nil:
		return 0, fs.status("getxattr", path, err)
	case !ok:
		return 0, fuse.ENODATA
	}
	return fit(value, dest)
}

func (fs *FS) realValue(ctx context.Context, path, name string) ([]byte, bool, error) {
	all, err := fs.c.Tree.Xattrs(ctx, path)
	i := slices.IndexFunc(all, func(x catalog.Xattr) bool { return x.Name == name })
	if err != nil || i < 0 {
		return nil, false, err
	}
	return all[i].Value, true, nil
}

// ListXAttr implements LISTXATTR: the client's own names, sorted, then those of the
// catalog.
func (fs *FS) ListXAttr(cancel <-chan struct{}, h *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	ctx, end := begin(cancel, h)
	defer end()
	path, _, e, err := fs.entry(ctx, h.NodeId)
	if err != nil {
		return 0, fs.status("listxattr", path, err)
	}
	var b strings.Builder
	if fs.c.Xattrs == Always || fs.c.Xattrs == RootOnly && path == "" {
		for _, m := range fs.magic {
			if m.has == nil || m.has(&subject{path, &e}) {
				b.WriteString(m.name + "\x00")
			}
		}
	}
	if e.HasXattrs {
		all, err := fs.c.Tree.Xattrs(ctx, path)
		if err != nil {
			return 0, fs.status("listxattr", path, err)
		}
		for _, x := range all {
			b.WriteString(x.Name + "\x00")
		}
	}
	return fit([]byte(b.String()), dest)
}

// fit copies a value into the caller's buffer. With no buffer the caller asks for
// the size.
func fit(value, dest []byte) (uint32, fuse.Status) {
	n := uint32(len(value))
	if len(dest) < len(value) {
		return n, fuse.ERANGE
	}
	copy(dest, value)
	return n, fuse.OK
}
