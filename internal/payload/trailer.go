package payload

import (
	"encoding/binary"
	"io"
	"math"
	"slices"
)

// TrailerSize is the length of the trailer in bytes.
const TrailerSize = 64

// Version is the format version that this package writes and reads.
const Version = 1

// magic begins a trailer. The last byte is not text, so no text file ends in one.
const magic = "CVMFB\xf5"

// kinds are the kinds in the order of their numbers in the trailer, from 1. (A
// start must know the kind before it reads the manifest.)
var kinds = [...]Kind{Cvmfsexec, Singcvmfs}

// maxManifest bounds the manifest: some 100,000 files.
const maxManifest = 32 << 20

// skipSize is the length of the header before the manifest that makes manifest
// and trailer one "skippable frame" of zstd (RFC 8878, 3.1.2), so that zstd reads
// on to the end of the file without complaint.
const skipSize = 8

// skipMagic begins that header; the length of what is skipped follows, 4 bytes.
const skipMagic = 0x184d2a5c

// Trailer is the last 64 bytes of a bundle. All numbers are little-endian:
//
//	 0  6  magic "CVMFB\xf5"
//	 6  1  format version
//	 7  1  kind: 1 cvmfsexec, 2 singcvmfs
//	 8  4  offset of the payload, which is the length of the stub
//	12  4  length of the manifest
//	16  8  length of the payload
//	24  8  offset of the manifest
//	32 32  SHA-256 of the manifest
type Trailer struct {
	Kind           Kind
	PayloadOffset  int64
	PayloadLength  int64
	ManifestOffset int64
	ManifestLength int64
	ID             ID
}

// ReadTrailer reads the trailer of a bundle of the given size with one read of 64
// bytes and checks that the parts it names lie one after the other and fill the
// file. The ID it returns is only a name: nothing has been compared with it yet.
func ReadTrailer(r io.ReaderAt, size int64) (Trailer, error) {
	var b [TrailerSize]byte
	if size < TrailerSize {
		return Trailer{}, notBundle("it has %d bytes, a trailer alone has %d", size, TrailerSize)
	}
	if n, err := r.ReadAt(b[:], size-TrailerSize); n < len(b) {
		return Trailer{}, readError("trailer", err)
	}
	return parseTrailer(b, size)
}

func parseTrailer(b [TrailerSize]byte, size int64) (Trailer, error) {
	le := binary.LittleEndian
	if string(b[:len(magic)]) != magic {
		return Trailer{}, notBundle("its last %d bytes are not a bundle's trailer", TrailerSize)
	}
	if v := b[6]; v != Version {
		return Trailer{}, notBundle("its format is version %d, this program reads version %d", v, Version)
	}
	if n := int(b[7]); n == 0 || n > len(kinds) {
		return Trailer{}, corrupt("trailer: kind %d", n)
	}
	t := Trailer{
		Kind:           kinds[b[7]-1],
		PayloadOffset:  int64(le.Uint32(b[8:])),
		ManifestLength: int64(le.Uint32(b[12:])),
		ID:             ID(b[32:]),
	}
	payload, manifest := le.Uint64(b[16:]), le.Uint64(b[24:])
	if payload > math.MaxInt64/4 || manifest > math.MaxInt64/4 {
		return Trailer{}, corrupt("trailer: payload length %d, manifest offset %d", payload, manifest)
	}
	t.PayloadLength, t.ManifestOffset = int64(payload), int64(manifest)
	return t, t.check(size)
}

func (t Trailer) check(size int64) error {
	switch {
	case t.PayloadOffset == 0 || t.PayloadLength == 0 || t.ManifestLength == 0:
		return corrupt("trailer: an empty part (stub %d, payload %d, manifest %d bytes)", t.PayloadOffset, t.PayloadLength, t.ManifestLength)
	case t.ManifestLength > maxManifest:
		return corrupt("trailer: a manifest of %d bytes, the limit is %d", t.ManifestLength, maxManifest)
	case t.payloadEnd()+skipSize != t.ManifestOffset:
		return corrupt("trailer: the payload ends at %d, the manifest begins at %d", t.payloadEnd(), t.ManifestOffset)
	case t.ManifestOffset+t.ManifestLength+TrailerSize != size:
		return corrupt("the file has %d bytes, its trailer speaks of %d", size, t.ManifestOffset+t.ManifestLength+TrailerSize)
	}
	return nil
}

func (t Trailer) payloadEnd() int64 { return t.PayloadOffset + t.PayloadLength }

// skipHeader returns the bytes between payload and manifest.
func (t Trailer) skipHeader() [skipSize]byte {
	var b [skipSize]byte
	binary.LittleEndian.PutUint32(b[:], skipMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(t.ManifestLength+TrailerSize))
	return b
}

// bytes returns t as it stands in the file.
func (t Trailer) bytes() [TrailerSize]byte {
	var b [TrailerSize]byte
	le := binary.LittleEndian
	copy(b[:], magic)
	b[6], b[7] = Version, byte(1+slices.Index(kinds[:], t.Kind))
	le.PutUint32(b[8:], uint32(t.PayloadOffset))
	le.PutUint32(b[12:], uint32(t.ManifestLength))
	le.PutUint64(b[16:], uint64(t.PayloadLength))
	le.PutUint64(b[24:], uint64(t.ManifestOffset))
	copy(b[32:], t.ID[:])
	return b
}
