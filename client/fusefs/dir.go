package fusefs

import (
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
)

// openDir is an open directory. Its listing is made by the first read.
type openDir struct {
	path        string
	ino, parent uint64

	mu   sync.Mutex
	made bool
	list []dirent
}

// dirent is an entry of a listing, with what READDIRPLUS tells of it. The first
// two are "." and "..", of which only number and type are told.
type dirent struct {
	name   string
	attr   fuse.Attr
	shared bool
}

// OpenDir implements OPENDIR.
func (fs *FS) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	ctx, end := begin(cancel, &in.InHeader)
	defer end()
	path, ino, e, err := fs.entry(ctx, in.NodeId)
	if err == nil && !e.IsDir() {
		err = catalog.ErrNotDir
	}
	if err == nil {
		err = fs.takePlace()
	}
	if err != nil {
		return fs.status("opendir", path, err)
	}
	d := &openDir{path: path, ino: ino, parent: fs.nodes.parentIno(in.NodeId)}
	if e.IsMountpoint() { // so that a catalog that cannot be had shows here and not in readdir
		if err := fs.fill(ctx, d); err != nil {
			fs.places.Add(-1)
			return fs.status("opendir", path, err)
		}
	}
	fs.stats.openDirs.Add(1)
	out.Fh = fs.dirs.add(d)
	out.OpenFlags = fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

// fill makes the listing of a directory if there is none yet.
func (fs *FS) fill(ctx *opContext, d *openDir) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made {
		return nil
	}
	list := []dirent{
		{name: ".", attr: fuse.Attr{Ino: d.ino, Mode: syscall.S_IFDIR}},
		{name: "..", attr: fuse.Attr{Ino: d.parent, Mode: syscall.S_IFDIR}},
	}
	err := fs.c.Tree.List(ctx, d.path, func(e catalog.Entry) error {
		if len(e.Name) > maxName { // one would make the kernel refuse the whole directory
			return nil
		}
		de := dirent{name: e.Name, shared: isShared(&e)}
		fs.attr(&e, e.Inode, &de.attr)
		list = append(list, de)
		return nil
	})
	if err == nil {
		d.list, d.made = list, true
	}
	return err
}

// listing returns the listing of an open directory from a position on.
func (fs *FS) listing(cancel <-chan struct{}, in *fuse.ReadIn) ([]dirent, fuse.Status) {
	d, ok := fs.dirs.get(in.Fh)
	if !ok {
		return nil, fuse.EBADF
	}
	ctx, end := begin(cancel, &in.InHeader)
	defer end()
	if err := fs.fill(ctx, d); err != nil {
		return nil, fs.status("readdir", d.path, err)
	}
	return d.list[min(in.Offset, uint64(len(d.list))):], fuse.OK
}

// ReadDir implements READDIR.
func (fs *FS) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	list, status := fs.listing(cancel, in)
	for i := range list {
		e := &list[i]
		if !out.AddDirEntry(fuse.DirEntry{Name: e.name, Ino: e.attr.Ino, Mode: e.attr.Mode, Off: in.Offset + uint64(i) + 1}) {
			break
		}
	}
	return status
}

// ReadDirPlus implements READDIRPLUS: each entry told counts as a lookup.
func (fs *FS) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	list, status := fs.listing(cancel, in)
	for i := range list {
		e := &list[i]
		o := out.AddDirLookupEntry(fuse.DirEntry{Name: e.name, Ino: e.attr.Ino, Mode: e.attr.Mode, Off: in.Offset + uint64(i) + 1})
		if o == nil {
			break
		}
		if in.Offset+uint64(i) < 2 { // "." and ".."
			continue
		}
		r, ok := fs.nodes.look(in.NodeId, e.name, e.attr.Ino, e.shared)
		if !ok {
			continue // told by name and number only
		}
		o.NodeId, o.Generation, o.Attr = uint64(r.id), uint64(r.gen), e.attr
		o.Attr.Ino = r.ino
		o.SetEntryTimeout(fs.c.Timeout)
		o.SetAttrTimeout(fs.c.Timeout)
	}
	return status
}

// ReleaseDir implements RELEASEDIR.
func (fs *FS) ReleaseDir(in *fuse.ReleaseIn) {
	if _, ok := fs.dirs.remove(in.Fh); ok {
		fs.places.Add(-1)
	}
}
