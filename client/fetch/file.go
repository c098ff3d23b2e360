package fetch

import (
	"io"
	"os"
	"sync/atomic"
)

// File is the verified content of an object. It stays readable until it is closed,
// whatever happens to the cache. It may be used by several goroutines.
type File struct {
	c      *content
	closed atomic.Bool
}

// content is an open file that several Files share.
type content struct {
	f    *os.File
	size int64
	refs atomic.Int64
	done func() // called after the last reference is gone; may be nil
}

// newContent returns the file with one reference, which its maker releases.
func newContent(f *os.File, size int64, done func()) *content {
	c := &content{f: f, size: size, done: done}
	c.refs.Store(1)
	return c
}

// file returns a File with a reference of its own.
func (c *content) file() *File {
	c.refs.Add(1)
	return &File{c: c}
}

func (c *content) release() error {
	if c.refs.Add(-1) > 0 {
		return nil
	}
	err := c.f.Close()
	if c.done != nil {
		c.done()
	}
	return err
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if f.closed.Load() {
		return 0, os.ErrClosed
	}
	if off >= f.c.size {
		return 0, io.EOF
	}
	return f.c.f.ReadAt(p, off)
}

// Size returns the bytes of the content.
func (f *File) Size() int64 { return f.c.size }

// Fd returns the descriptor, for splice and the like. It is valid until Close.
func (f *File) Fd() uintptr { return f.c.f.Fd() }

// Close lets go of the content. Closing twice is harmless.
func (f *File) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	return f.c.release()
}
