package object

import (
	"fmt"
	"io"
	"sync"
)

// WriteError says that the destination of [Copy] failed, not the object or its
// source.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return fmt.Sprintf("write object: %v", e.Err) }

func (e *WriteError) Unwrap() error { return e.Err }

// copyBuffers keeps the buffers between calls of Copy.
var copyBuffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// Copy writes the content of the object spec, whose stored bytes come from src, to
// dst. What was written may be used only when err is nil: then the object is
// complete and its digest right. It returns the bytes of content written. Errors
// are those of [Reader], *[WriteError], and those of src.
func Copy(dst io.Writer, src io.Reader, spec Spec) (n int64, err error) {
	r, err := NewReader(src, spec)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	buf := copyBuffers.Get().(*[128 << 10]byte)
	defer copyBuffers.Put(buf)
	for {
		k, err := io.ReadFull(r, buf[:])
		if k > 0 {
			w, werr := dst.Write(buf[:k])
			n += int64(w)
			if werr == nil && w < k {
				werr = io.ErrShortWrite
			}
			if werr != nil {
				return n, &WriteError{werr}
			}
		}
		switch {
		case err == io.EOF:
			return n, nil
		case err == io.ErrUnexpectedEOF && r.err == io.EOF: // a full object in a part of the buffer
			return n, nil
		case err != nil:
			return n, err
		}
	}
}
