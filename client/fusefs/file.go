package fusefs

import (
	"fmt"
	"io"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// openFile is an open regular file: an object (file), chunks (list), or empty.
type openFile struct {
	path string
	size int64
	file Content
	list *chunkList
	ino  uint64
}

const writing = syscall.O_WRONLY | syscall.O_RDWR | syscall.O_TRUNC

// Open implements OPEN. The content of a whole object is fetched here, that of a
// chunked file when it is read.
func (fs *FS) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	switch {
	case in.Flags&writing != 0:
		return fuse.EROFS
	case in.Flags&syscall.O_EXCL != 0:
		return fuse.Status(syscall.EEXIST)
	}
	ctx, end := begin(cancel, &in.InHeader)
	defer end()
	path, ino, e, err := fs.entry(ctx, in.NodeId)
	switch {
	case err != nil:
		return fs.status("open", path, err)
	case e.IsDir():
		return fuse.Status(syscall.EISDIR)
	case e.Kind() != catalog.Regular:
		return fuse.Status(syscall.ENXIO)
	}
	if err := fs.takePlace(); err != nil {
		return fs.status("open", path, err)
	}
	f, err := fs.open(ctx, path, ino, &e)
	if err != nil {
		fs.places.Add(-1)
		return fs.status("open", path, err)
	}
	fs.stats.opens.Add(1)
	out.Fh = fs.files.add(f)
	// What an inode number stands for never changes, so pages stay valid.
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	if e.IsDirectIO() {
		out.OpenFlags |= fuse.FOPEN_DIRECT_IO
	}
	return fuse.OK
}

// takePlace takes a place among what may be open at once; whoever closes it gives it
// back. It is taken before anything is fetched, for the fetching needs descriptors
// too.
func (fs *FS) takePlace() error {
	if n := fs.places.Add(1); fs.c.MaxOpen > 0 && n > int64(fs.c.MaxOpen) {
		fs.places.Add(-1)
		return syscall.EMFILE
	}
	return nil
}

func (fs *FS) open(ctx *opContext, path string, ino uint64, e *catalog.Entry) (*openFile, error) {
	f := &openFile{path: path, size: e.Size, ino: ino}
	var err error
	switch {
	case e.IsChunked():
		f.list, err = fs.openList(ctx, path, ino, e)
	case e.Size == 0 && !e.IsExternal(): // servers may lack the object of nothing
	default:
		f.file, err = fs.c.Objects.Open(ctx, Object{
			Hash: e.Hash, Suffix: object.File, Compression: e.Compression, Size: e.Size, Path: path, External: e.IsExternal(),
		})
	}
	return f, err
}

// Release implements RELEASE.
func (fs *FS) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	f, ok := fs.files.remove(in.Fh)
	if !ok {
		return
	}
	fs.places.Add(-1)
	if f.file != nil {
		f.file.Close()
	}
	if f.list != nil {
		fs.closeList(f.ino, f.list)
	}
}

// Read implements READ. Reads end at the file's size whatever the kernel asks for,
// and never fall short of it.
func (fs *FS) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	f, ok := fs.files.get(in.Fh)
	if !ok {
		return nil, fuse.EBADF
	}
	if in.Offset >= uint64(f.size) {
		return fuse.ReadResultData(nil), fuse.OK
	}
	off := int64(in.Offset)
	n := int(min(int64(len(buf)), f.size-off))
	if f.list == nil {
		k, err := f.file.ReadAt(buf[:n], off)
		if k < n {
			return nil, fs.status("read", f.path, fmt.Errorf("%d of %d bytes at %d: %w", k, n, off, short(err)))
		}
		return fuse.ReadResultData(buf[:n]), fuse.OK
	}
	ctx, end := begin(cancel, &in.InHeader)
	ctx.read = true
	defer end()
	if err := fs.readChunks(ctx, f, buf[:n], off); err != nil {
		return nil, fs.status("read", f.path, err)
	}
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

// short says that a cached object has fewer bytes than it had.
func short(err error) error {
	if err == io.EOF || err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}
