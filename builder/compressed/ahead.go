package compressed

import (
	"io"
	"sync"
)

// aheadBlock is how much is read at once in the background, in bytes.
const aheadBlock = 256 << 10

// Ahead returns a reader of r, which is read in the background, at most about limit
// bytes ahead: several files are decompressed at once although they are wanted one
// after the other. Close ends that and closes r.
func Ahead(r io.ReadCloser, limit int) io.ReadCloser {
	a := &ahead{
		r: r, pieces: make(chan aheadPiece, max(limit/aheadBlock, 1)), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go a.run()
	return a
}

type ahead struct {
	r      io.ReadCloser
	pieces chan aheadPiece
	stop   chan struct{} // closed by Close
	done   chan struct{} // closed when r is no longer read
	once   sync.Once
	piece  aheadPiece // being given out
}

// aheadPiece is some of the content and what comes after it.
type aheadPiece struct {
	data []byte
	err  error
}

func (a *ahead) run() {
	defer close(a.done)
	for {
		var p aheadPiece
		buf := make([]byte, aheadBlock)
		for len(p.data) < len(buf) && p.err == nil {
			var n int
			n, p.err = a.r.Read(buf[len(p.data):])
			p.data = buf[:len(p.data)+n]
		}
		select {
		case a.pieces <- p:
		case <-a.stop:
			return
		}
		if p.err != nil {
			return
		}
	}
}

func (a *ahead) Read(p []byte) (int, error) {
	for len(a.piece.data) == 0 && a.piece.err == nil {
		select {
		case a.piece = <-a.pieces:
		case <-a.stop:
			return 0, io.ErrClosedPipe
		}
	}
	n := copy(p, a.piece.data)
	if a.piece.data = a.piece.data[n:]; len(a.piece.data) == 0 {
		return n, a.piece.err
	}
	return n, nil
}

func (a *ahead) Close() (err error) {
	a.once.Do(func() {
		close(a.stop)
		<-a.done
		err = a.r.Close()
	})
	return err
}
