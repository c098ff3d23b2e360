package payload

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is the largest zstd window a bundle may ask for; the decoder's memory
// is about twice that.
const maxWindow = 64 << 20

// tarStream reads the payload's frames as one tar stream. It gives io.EOF only
// after every frame had the length and the digest of the frame table, and no
// frame gives more bytes than the table says.
type tarStream struct {
	r      io.ReaderAt
	frames []Frame // those not yet begun
	index  int     // of the current one
	z      *zstd.Decoder
	in     *frameInput // of the current frame; nil: between frames
	left   int64       // raw bytes still to come from it
	err    error
}

// frameInput is the compressed bytes of one frame. It remembers the error of the
// file below, to tell an I/O error from damage.
type frameInput struct {
	io.Reader
	h   hash.Hash
	err error
}

func (f *frameInput) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	f.h.Write(p[:n])
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

func newTarStream(r io.ReaderAt, frames []Frame) (*tarStream, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return nil, fmt.Errorf("start zstd: %w", err)
	}
	return &tarStream{r: r, frames: frames, index: -1, z: z}, nil
}

// Close ends the decoder. It must be called.
func (s *tarStream) Close() { s.z.Close() }

func (s *tarStream) Read(p []byte) (int, error) {
	if s.err != nil || len(p) == 0 {
		return 0, s.err
	}
	if s.in == nil {
		if s.err = s.next(); s.err != nil {
			return 0, s.err
		}
	}
	n, err := s.z.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	switch {
	case err != nil && err != io.EOF:
		s.err = s.failed(err)
	case s.left == 0:
		s.err = s.finish()
	case err != nil:
		s.err = corrupt("%s: holds %d bytes less than the manifest says", s.name(), s.left)
	}
	if s.err != nil {
		return 0, s.err // what was read before a frame's digest failed is not given out
	}
	return n, nil
}

// next begins the next frame, or gives io.EOF.
func (s *tarStream) next() error {
	if len(s.frames) == 0 {
		return io.EOF
	}
	f := s.frames[0]
	s.index++
	s.in = &frameInput{Reader: io.NewSectionReader(s.r, f.Offset, f.Length), h: sha256.New()}
	s.left = f.Raw
	if err := s.z.Reset(s.in); err != nil {
		return s.failed(err)
	}
	return nil
}

// failed makes err, which the decoder has returned, an error of the file below or
// of the frame. (Until then the decoder may still be reading its input.)
func (s *tarStream) failed(err error) error {
	if s.in.err != nil {
		return readError(s.name(), s.in.err)
	}
	return corrupt("%s: %w", s.name(), err)
}

// finish holds the current frame's end and digest against the frame table.
func (s *tarStream) finish() error {
	var more [1]byte
	n, err := s.z.Read(more[:])
	if n > 0 || err == nil {
		return corrupt("%s: goes on after the %d bytes the manifest says", s.name(), s.frames[0].Raw)
	}
	if err != io.EOF {
		return s.failed(err)
	}
	if _, err := io.Copy(io.Discard, s.in); err != nil { // what the decoder had no use for
		return readError(s.name(), err)
	}
	if err := check(s.in.h, s.frames[0].SHA256, s.name()); err != nil {
		return err
	}
	s.in, s.frames = nil, s.frames[1:]
	return nil
}

func (s *tarStream) name() string {
	return fmt.Sprintf("frame %d at offset %d", s.index, s.frames[0].Offset)
}
