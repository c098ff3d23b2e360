package payload

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
)

// compressor takes the tar stream and writes it as frames, in order. Frames are
// compressed side by side, each alone.
type compressor struct {
	w      io.Writer
	at     int64 // offset in the file where the next frame goes; valid after close
	raw    *bytes.Buffer
	queue  chan chan encoded // frames in the order of the file
	done   chan struct{}
	frames []Frame
	err    error // of the writing side; valid after done
}

type encoded struct {
	data []byte
	raw  int64
	err  error
}

// newCompressor returns a compressor that writes its first frame at offset at.
func newCompressor(w io.Writer, at int64) *compressor {
	c := &compressor{
		w: w, at: at, raw: new(bytes.Buffer),
		queue: make(chan chan encoded, min(runtime.GOMAXPROCS(0), 4)-1),
		done:  make(chan struct{}),
	}
	go c.drain()
	return c
}

// Write adds p to the frame being filled.
func (c *compressor) Write(p []byte) (int, error) { return c.raw.Write(p) }

// cut begins a new frame when the next entry, with a content of size bytes, would
// make the current one too long.
func (c *compressor) cut(size int64) error {
	if c.raw.Len() > 0 && int64(c.raw.Len())+size > frameSize {
		c.flush()
	}
	if size > maxContent/4 {
		return fmt.Errorf("a file of %d bytes is too large for a bundle", size)
	}
	return nil
}

// flush compresses the current frame beside what goes on.
func (c *compressor) flush() {
	raw := c.raw
	c.raw = new(bytes.Buffer)
	result := make(chan encoded, 1)
	c.queue <- result
	go func() {
		data, err := encodeFrame(raw.Bytes())
		result <- encoded{data, int64(raw.Len()), err}
	}()
}

// drain writes the frames as they become ready. After an error it goes on taking
// them, so that nobody waits for it.
func (c *compressor) drain() {
	defer close(c.done)
	for result := range c.queue {
		e := <-result
		if c.err == nil {
			c.err = e.err
		}
		if c.err != nil {
			continue
		}
		c.frames = append(c.frames, Frame{Offset: c.at, Length: int64(len(e.data)), Raw: e.raw, SHA256: sha256.Sum256(e.data)})
		c.at += int64(len(e.data))
		if _, err := c.w.Write(e.data); err != nil {
			c.err = fmt.Errorf("write payload: %w", err)
		}
	}
}

// close ends the payload, waits for it and returns its frames. err is what
// happened to the tar stream; it wins.
func (c *compressor) close(err error) ([]Frame, error) {
	if err == nil && c.raw.Len() > 0 {
		c.flush()
	}
	close(c.queue)
	<-c.done
	if err == nil {
		err = c.err
	}
	return c.frames, err
}
