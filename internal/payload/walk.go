package payload

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"sync"
)

// Bounds of an unpack: at most inFlight pieces of pieceSize bytes are between the
// decoder and the disk, and at most maxWriters files are open.
const (
	pieceSize  = 256 << 10
	inFlight   = 48
	maxWriters = 8
)

// sink is where a walk puts the tree. Directories come before what is in them;
// create is called from other goroutines than dir and symlink, several at once.
type sink interface {
	dir(f *File) error
	symlink(f *File) error
	create(f *File) (io.WriteCloser, error)
	finish(files []File) error // after all files are closed
}

// walker sends the files of a bundle to a sink: one goroutine decodes, one for
// each file in flight hashes and writes.
type walker struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	sink    sink
	pieces  chan []byte   // free pieces
	writers chan struct{} // one for each running writer
	wg      sync.WaitGroup
}

// walk compares the payload with the file table, entry by entry, and hands each
// to sink.
func (b *Bundle) walk(ctx context.Context, to sink) error {
	s, err := newTarStream(b.r, b.Manifest.Frames)
	if err != nil {
		return err
	}
	defer s.Close()
	w := &walker{sink: to, pieces: make(chan []byte, inFlight), writers: make(chan struct{}, maxWriters)}
	for range inFlight {
		w.pieces <- nil // made when first needed
	}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	defer w.cancel(nil)
	err = w.entries(s, b.Manifest.Files)
	if err != nil {
		w.cancel(err)
	}
	w.wg.Wait()
	if cause := context.Cause(w.ctx); cause != nil {
		return cause // the first thing that failed
	}
	return to.finish(b.Manifest.Files)
}

func (w *walker) entries(s *tarStream, files []File) error {
	t := tar.NewReader(s)
	for i := range files {
		h, err := t.Next()
		if err == io.EOF {
			return corrupt("payload: %d files are missing, the first is %q", len(files)-i, files[i].Path)
		}
		if err != nil {
			return tarError(s, err)
		}
		if err := files[i].matches(h); err != nil {
			return err
		}
		if err := w.entry(&files[i], t, s); err != nil {
			return err
		}
	}
	if h, err := t.Next(); err == nil {
		return corrupt("payload: %q is not in the manifest", h.Name)
	} else if err != io.EOF {
		return tarError(s, err)
	}
	n, err := io.Copy(io.Discard, s)
	if err == nil && n > 0 {
		err = corrupt("payload: %d bytes after the end of the tar stream", n)
	}
	return err
}

// matches holds a tar header against the file table.
func (f *File) matches(h *tar.Header) error {
	flag := map[Type]byte{Dir: tar.TypeDir, Regular: tar.TypeReg, Symlink: tar.TypeSymlink}[f.Type]
	if h.Name != f.tarName() || h.Typeflag != flag || h.Size != f.Size || h.Linkname != f.Target ||
		f.Type != Symlink && h.Mode != int64(f.Mode) {
		return corrupt("payload: has %q (type %q, mode %04o, size %d, target %q) where the manifest has %s %q (mode %04o, size %d, target %q)",
			h.Name, h.Typeflag, h.Mode, h.Size, h.Linkname, f.Type, f.Path, f.Mode, f.Size, f.Target)
	}
	return nil
}

func (f *File) tarName() string {
	if f.Type == Dir {
		return f.Path + "/"
	}
	return f.Path
}

// tarError tells damage in the tar stream from what the stream below reports.
func tarError(s *tarStream, err error) error {
	if s.err != nil && s.err != io.EOF {
		return s.err
	}
	if errors.Is(err, ErrCorrupt) {
		return err
	}
	return corrupt("payload: %w", err)
}
