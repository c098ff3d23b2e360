package payload

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"io"
	"strconv"
)

// entry hands one entry to the sink. For a file it returns when the last byte has
// been decoded; the writing may still go on.
func (w *walker) entry(f *File, t *tar.Reader, s *tarStream) error {
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	switch f.Type {
	case Dir:
		return w.sink.dir(f)
	case Symlink:
		return w.sink.symlink(f)
	}
	select {
	case w.writers <- struct{}{}:
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
	full := make(chan []byte, inFlight)
	w.wg.Go(func() {
		defer func() { <-w.writers }()
		if err := w.write(f, full); err != nil {
			w.cancel(err)
		}
	})
	err := w.read(f, t, s, full)
	if err != nil {
		w.cancel(err) // before the writer takes the end of full for the end of the file
	}
	close(full)
	return err
}

// read decodes the content of f into pieces.
func (w *walker) read(f *File, t *tar.Reader, s *tarStream, full chan<- []byte) error {
	for left := f.Size; left > 0; {
		var p []byte
		select {
		case p = <-w.pieces:
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		}
		n := min(left, pieceSize)
		if int64(cap(p)) < n {
			p = make([]byte, n, max(n, min(pieceSize, roundUp(n))))
		}
		p = p[:n]
		if _, err := io.ReadFull(t, p); err != nil {
			return tarError(s, err)
		}
		full <- p // never blocks: as many places as pieces
		left -= n
	}
	return nil
}

// roundUp returns the next power of two, so that a piece fits the next file too.
func roundUp(n int64) int64 {
	size := int64(4 << 10)
	for size < n {
		size *= 2
	}
	return size
}

// write hashes and writes the pieces of f and gives them back.
func (w *walker) write(f *File, full <-chan []byte) error {
	out, err := w.sink.create(f)
	if err != nil {
		return err
	}
	h := sha256.New()
	for p := range full {
		h.Write(p)
		if err == nil {
			_, err = out.Write(p)
		}
		w.pieces <- p
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil || w.ctx.Err() != nil {
		return err
	}
	return check(h, *f.SHA256, "file "+strconv.Quote(f.Path))
}
