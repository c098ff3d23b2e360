package compressed

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

var errXz = errors.New("malformed xz file")

// xzReader reads an xz file of any number of streams and blocks (The .xz File Format
// 1.2.1). The library's own reader of such files allocates the dictionary that a
// block's header asks for, up to 4 GB; this one refuses more than maxWindow, and
// leaves only the data of a block to the library.
type xzReader struct {
	in     *xzInput
	stream *xzStream // the one being read
	block  *xzBlock  // the one being read
	err    error
}

// xzInput is the file.
type xzInput struct {
	*bufio.Reader
	n int64 // bytes read, counted by Read
}

func (in *xzInput) Read(p []byte) (int, error) {
	n, err := in.Reader.Read(p)
	in.n += int64(n)
	return n, err
}

// take reads n bytes that must be there.
func (in *xzInput) take(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(in, b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// xzStream is what is known of a stream.
type xzStream struct {
	flags   []byte
	newHash func() hash.Hash // of blocks; nil: they have none
	blocks  uint64
	records hash.Hash // of what the index must say
}

// xzBlock is a block being read.
type xzBlock struct {
	*xzHeader
	data  io.Reader
	hash  hash.Hash // nil: none
	start int64     // offset of the header
	begin int64     // offset of the data
	n     int64     // bytes of content so far
}

func newXzReader(r io.Reader) (*xzReader, error) {
	x := &xzReader{in: &xzInput{Reader: bufio.NewReader(r)}}
	return x, x.open()
}

func (x *xzReader) Read(p []byte) (int, error) {
	for x.err == nil {
		if x.block == nil {
			x.err = x.next()
			continue
		}
		n, err := x.block.data.Read(p)
		x.block.n += int64(n)
		if x.block.hash != nil {
			x.block.hash.Write(p[:n])
		}
		if err == io.EOF {
			err = x.endBlock()
		}
		x.err = err
		if n > 0 || len(p) == 0 {
			return n, x.err
		}
	}
	return 0, x.err
}

// open reads the header of a stream (2.1.1).
func (x *xzReader) open() error {
	b, err := x.in.take(12)
	if err != nil {
		return err
	}
	if string(b[:6]) != "\xfd7zXZ\x00" || crc32.ChecksumIEEE(b[6:8]) != binary.LittleEndian.Uint32(b[8:]) {
		return fmt.Errorf("%w: no header of a stream", errXz)
	}
	s := &xzStream{flags: b[6:8], records: sha256.New()}
	switch binary.BigEndian.Uint16(s.flags) { // 2.1.1.2
	case 0:
	case 1:
		s.newHash = func() hash.Hash { return littleEndian32{crc32.NewIEEE()} }
	case 4:
		s.newHash = func() hash.Hash { return littleEndian64{crc64.New(crc64.MakeTable(crc64.ECMA))} }
	case 10:
		s.newHash = sha256.New
	default:
		return fmt.Errorf("xz: flags % x: %w", s.flags, ErrUnsupported)
	}
	x.stream = s
	return nil
}

// next goes on to the next block, through the end of a stream and the padding after
// it (2.2) where they come. It returns io.EOF at the end of the file.
func (x *xzReader) next() error {
	for x.stream == nil {
		b, err := x.in.Peek(4)
		switch {
		case err == io.EOF && len(b) == 0:
			return io.EOF
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case string(b) == "\x00\x00\x00\x00":
			_, err = x.in.take(4)
		default:
			err = x.open()
		}
		if err != nil {
			return err
		}
	}
	start := x.in.n
	b, err := x.in.take(1)
	if err != nil {
		return err
	}
	if b[0] == 0 {
		if err := x.endStream(start); err != nil {
			return err
		}
		x.stream = nil
		return nil
	}
	more, err := x.in.take((int(b[0])+1)*4 - 1)
	if err != nil {
		return err
	}
	return x.startBlock(start, append(b, more...))
}

func (x *xzReader) startBlock(start int64, header []byte) error {
	h, err := parseXzHeader(header)
	if err != nil {
		return err
	}
	b := &xzBlock{xzHeader: h, start: start, begin: x.in.n}
	if x.stream.newHash != nil {
		b.hash = x.stream.newHash()
	}
	if b.data, err = (lzma.Reader2Config{DictCap: int(h.dict)}).NewReader2(x.in); err != nil {
		return err
	}
	x.block = b
	return nil
}

// endBlock reads what follows the data of a block: padding and check (3.3, 3.4).
func (x *xzReader) endBlock() error {
	b := x.block
	compressed := x.in.n - b.begin
	if b.compressed >= 0 && b.compressed != compressed || b.content >= 0 && b.content != b.n {
		return fmt.Errorf("%w: a block has not the size it names", errXz)
	}
	if err := x.padding(compressed); err != nil {
		return err
	}
	size := x.in.n - b.start - (-compressed & 3) // without the padding
	if b.hash != nil {
		want, err := x.in.take(b.hash.Size())
		if err != nil {
			return err
		}
		if !bytes.Equal(b.hash.Sum(nil), want) {
			return fmt.Errorf("%w: wrong checksum of a block", errXz)
		}
		size += int64(len(want))
	}
	x.stream.blocks++
	x.stream.records.Write(record(uint64(size), uint64(b.n)))
	x.block = nil
	return nil
}
