package compressed

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
)

// xzHeader is the header of a block.
type xzHeader struct {
	compressed, content int64  // bytes, -1 when it does not say
	dict                uint64 // bytes of dictionary to allocate
}

// parseXzHeader reads the header of a block (3.1), which must have one filter, LZMA2
// (5.3.1), with a dictionary of at most maxWindow.
func parseXzHeader(b []byte) (*xzHeader, error) {
	body, sum := b[:len(b)-4], b[len(b)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return nil, fmt.Errorf("%w: wrong checksum of a block's header", errXz)
	}
	h := &xzHeader{compressed: -1, content: -1}
	flags, rest := body[1], body[2:]
	for _, size := range []struct {
		bit   byte
		field *int64
	}{{0x40, &h.compressed}, {0x80, &h.content}} {
		if flags&size.bit == 0 {
			continue
		}
		v, n := binary.Uvarint(rest)
		if n <= 0 || v > math.MaxInt64 {
			return nil, fmt.Errorf("%w: a size in a block's header", errXz)
		}
		*size.field, rest = int64(v), rest[n:]
	}
	if flags&0x3f != 0 || len(rest) < 3 || rest[0] != 0x21 || rest[1] != 1 {
		return nil, fmt.Errorf("xz: %w: filters other than LZMA2", ErrUnsupported)
	}
	if len(bytes.Trim(rest[3:], "\x00")) > 0 {
		return nil, fmt.Errorf("%w: padding is not zero", errXz)
	}
	bits := rest[2]
	h.dict = uint64(2|bits&1) << (bits/2 + 11)
	if bits > 40 || h.dict > maxWindow {
		return nil, fmt.Errorf("xz: the dictionary has more than %d bytes", maxWindow)
	}
	if h.content >= 0 { // no more is ever looked at
		h.dict = min(h.dict, max(uint64(h.content), 4096))
	}
	return h, nil
}

// record is how the index writes a block's sizes (4.3).
func record(unpadded, content uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, unpadded), content)
}

// endStream reads the index (4), of which the first byte has been read, and the
// footer (2.1.2). The index must name the blocks that were there.
func (x *xzReader) endStream(start int64) error {
	sum := crc32.NewIEEE()
	sum.Write([]byte{0})
	blocks, err := x.number(sum)
	if err != nil {
		return err
	}
	if blocks != x.stream.blocks {
		return fmt.Errorf("%w: the index has %d blocks, the stream %d", errXz, blocks, x.stream.blocks)
	}
	records := sha256.New()
	for range 2 * blocks {
		n, err := x.number(sum)
		if err != nil {
			return err
		}
		records.Write(binary.AppendUvarint(nil, n))
	}
	if !bytes.Equal(records.Sum(nil), x.stream.records.Sum(nil)) {
		return fmt.Errorf("%w: the index has other blocks than the stream", errXz)
	}
	size := x.in.n - start
	if err := x.padding(size); err != nil {
		return err
	}
	sum.Write(make([]byte, -size&3))
	size += -size&3 + 4
	end, err := x.in.take(4 + 12)
	if err != nil {
		return err
	}
	foot := end[4:]
	switch {
	case binary.LittleEndian.Uint32(end) != sum.Sum32():
		return fmt.Errorf("%w: wrong checksum of the index", errXz)
	case binary.LittleEndian.Uint32(foot) != crc32.ChecksumIEEE(foot[4:10]), string(foot[10:]) != "YZ":
		return fmt.Errorf("%w: no footer of a stream", errXz)
	case int64(binary.LittleEndian.Uint32(foot[4:])) != size/4-1, !bytes.Equal(foot[8:10], x.stream.flags):
		return fmt.Errorf("%w: header and footer of a stream differ", errXz)
	}
	return nil
}

// number reads a number of variable length (1.2) and adds its bytes to sum.
func (x *xzReader) number(sum io.Writer) (uint64, error) {
	var buf [9]byte
	for i := range buf {
		b, err := x.in.take(1)
		if err != nil {
			return 0, err
		}
		if buf[i] = b[0]; b[0] < 0x80 {
			sum.Write(buf[:i+1])
			n, _ := binary.Uvarint(buf[:i+1])
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: a number has no end", errXz)
}

// padding reads the zero bytes that make size a multiple of four.
func (x *xzReader) padding(size int64) error {
	b, err := x.in.take(int(-size & 3))
	if err == nil && len(bytes.Trim(b, "\x00")) > 0 {
		err = fmt.Errorf("%w: padding is not zero", errXz)
	}
	return err
}

// littleEndian32 and littleEndian64 are checksums as xz writes them.
type (
	littleEndian32 struct{ hash.Hash32 }
	littleEndian64 struct{ hash.Hash64 }
)

func (h littleEndian32) Sum(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, h.Sum32()) }
func (h littleEndian64) Sum(b []byte) []byte { return binary.LittleEndian.AppendUint64(b, h.Sum64()) }
