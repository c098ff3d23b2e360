// Package compressed reads the compressed files of the RPM world: repository
// metadata and package payloads. The format is known by its first bytes; memory and
// output are bounded, whatever the file claims.
package compressed

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// ErrTooLarge is returned by Read when the content has more bytes than allowed.
var ErrTooLarge = errors.New("decompressed content is larger than allowed")

// ErrUnsupported is wrapped by [Open] for formats that are known but not read.
var ErrUnsupported = errors.New("compression is not supported")

// maxWindow bounds the memory of a decoder, in bytes: twice what the strongest
// settings of rpmbuild and createrepo_c use.
const maxWindow = 128 << 20

// Open returns a reader of the content of r: decompressed when r begins as gzip, xz,
// zstd or bzip2 files do, as it is otherwise. Read fails with [ErrTooLarge] after
// limit bytes. Close frees the decoder; it does not close r.
func Open(r io.Reader, limit int64) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(32)
	if err != nil && err != io.EOF {
		return nil, err
	}
	var d io.ReadCloser
	err = nil // a file may be shorter than that
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		d, err = gzip.NewReader(br)
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		var x *xzReader
		x, err = newXzReader(br)
		d = io.NopCloser(x)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err = openZstd(br)
	case bytes.HasPrefix(head, []byte("BZh")):
		d = io.NopCloser(bzip2.NewReader(br))
	case bytes.HasPrefix(head, []byte{0x5d, 0, 0}):
		err = fmt.Errorf("lzma: %w", ErrUnsupported)
	case bytes.HasPrefix(head, []byte{0, 'Z', 'C', 'K', '1'}):
		err = fmt.Errorf("zchunk: %w", ErrUnsupported)
	default:
		d = io.NopCloser(br)
	}
	if err != nil {
		return nil, err
	}
	return &limited{d, limit}, nil
}

func openZstd(r io.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// limited fails, rather than ends, after n bytes.
type limited struct {
	io.ReadCloser
	n int64
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.n+1 {
		p = p[:l.n+1]
	}
	n, err := l.ReadCloser.Read(p)
	if int64(n) > l.n {
		n, l.n = int(l.n), 0
		return n, ErrTooLarge
	}
	l.n -= int64(n)
	return n, err
}
