package rpmfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrFormat is wrapped by errors that mean that a file is not a package as rpm
// writes them.
var ErrFormat = errors.New("malformed package")

// Limits of the headers, those of rpm itself or smaller.
const (
	leadSize  = 96
	maxIndex  = 64 << 10 // entries
	maxStore  = 32 << 20 // bytes
	introSize = 16       // bytes of a header's introduction and of an index entry
)

// Types of header values (rpm, rpmtag.h) and their sizes in bytes; 0: ends in NUL.
var valueSizes = [...]int64{0: 0, 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 0, 7: 1, 8: 0, 9: 0}

func badFormat(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// headers holds the raw bytes of a package file before its payload.
type headers struct {
	raw    []byte // lead, signature header with padding, header
	header int    // offset of the header in raw
}

// readHeaders reads up to the payload. What it returns is bounded in size, and its
// index entries are such that a parser which trusts their counts allocates no more
// than a small multiple of the bytes.
func readHeaders(r io.Reader) (*headers, error) {
	h := &headers{raw: make([]byte, leadSize)}
	if _, err := io.ReadFull(r, h.raw); err != nil {
		return nil, badFormat("the file ends in the lead")
	}
	if binary.BigEndian.Uint32(h.raw) != 0xedabeedb {
		return nil, badFormat("it does not begin as a package does")
	}
	size, err := h.readHeader(r)
	if err != nil {
		return nil, fmt.Errorf("signature header: %w", err)
	}
	padding := make([]byte, -size&7)
	if _, err := io.ReadFull(r, padding); err != nil {
		return nil, badFormat("the file ends after the signature header")
	}
	h.raw = append(h.raw, padding...)
	h.header = len(h.raw)
	if _, err := h.readHeader(r); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return h, nil
}

// readHeader appends one header to h.raw and returns its length.
func (h *headers) readHeader(r io.Reader) (int, error) {
	intro := make([]byte, introSize)
	if _, err := io.ReadFull(r, intro); err != nil {
		return 0, badFormat("the file ends too early")
	}
	if binary.BigEndian.Uint32(intro) != 0x8eade801 {
		return 0, badFormat("wrong magic number")
	}
	entries, store := binary.BigEndian.Uint32(intro[8:]), binary.BigEndian.Uint32(intro[12:])
	if entries == 0 || entries > maxIndex || store > maxStore {
		return 0, badFormat("%d entries and %d bytes of values", entries, store)
	}
	start := len(h.raw)
	h.raw = append(h.raw, intro...)
	// Read in pieces: a short file must not cost what it claims to be.
	want := int(entries)*introSize + int(store)
	body, err := io.ReadAll(io.LimitReader(r, int64(want)))
	if err != nil {
		return 0, err
	}
	if len(body) != want {
		return 0, badFormat("the file ends too early")
	}
	h.raw = append(h.raw, body...)
	return len(h.raw) - start, checkIndex(body[:int(entries)*introSize], body[int(entries)*introSize:])
}

// checkIndex checks that every value lies in the store, and that together they
// claim no more than the store has (twice, for the alignment of regions).
func checkIndex(index, store []byte) error {
	budget := 2*int64(len(store)) + introSize
	for ; len(index) > 0; index = index[introSize:] {
		tag, kind := binary.BigEndian.Uint32(index), binary.BigEndian.Uint32(index[4:])
		offset, count := int64(binary.BigEndian.Uint32(index[8:])), int64(binary.BigEndian.Uint32(index[12:]))
		if kind >= uint32(len(valueSizes)) || offset > int64(len(store)) || count < 1 {
			return badFormat("tag %d: type %d, offset %d, count %d", tag, kind, offset, count)
		}
		size := count * valueSizes[kind]
		if kind == 6 || kind == 8 || kind == 9 {
			var err error
			if size, err = stringsSize(store[offset:], count); err != nil {
				return badFormat("tag %d: %v", tag, err)
			}
		}
		if offset+size > int64(len(store)) {
			return badFormat("tag %d: its value lies outside", tag)
		}
		if budget -= size; budget < 0 {
			return badFormat("values overlap")
		}
	}
	return nil
}

// stringsSize returns the bytes that count strings take.
func stringsSize(b []byte, count int64) (int64, error) {
	var size int64
	for ; count > 0; count-- {
		n := int64(-1)
		for i, c := range b[size:] {
			if c == 0 {
				n = int64(i)
				break
			}
		}
		if n < 0 {
			return 0, errors.New("a string has no end")
		}
		size += n + 1
	}
	return size, nil
}
