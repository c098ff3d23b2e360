package payload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// Bundle is an open bundle whose manifest has been checked. Its methods may be
// called at the same time.
type Bundle struct {
	Manifest *Manifest
	Trailer  Trailer

	r io.ReaderAt
}

// Open reads the trailer and the manifest of a bundle of the given size and
// checks both (see the package comment). Errors wrap [ErrNotBundle] or
// [ErrCorrupt], or are those of r. The caller keeps r, open, for as long as it
// uses the Bundle.
func Open(r io.ReaderAt, size int64) (*Bundle, error) {
	t, err := ReadTrailer(r, size)
	if err != nil {
		return nil, err
	}
	data := make([]byte, skipSize+t.ManifestLength) // bounded by ReadTrailer
	if n, err := r.ReadAt(data, t.payloadEnd()); n < len(data) {
		return nil, readError("manifest", err)
	}
	if head := t.skipHeader(); !bytes.Equal(data[:skipSize], head[:]) {
		return nil, corrupt("offset %d: % x instead of % x", t.payloadEnd(), data[:skipSize], head)
	}
	data = data[skipSize:]
	if sum := sha256.Sum256(data); sum != t.ID {
		return nil, corrupt("manifest at offset %d: its SHA-256 is %s, the trailer says %s", t.ManifestOffset, Digest(sum), t.ID)
	}
	m, err := parseManifest(data)
	if err != nil {
		return nil, err
	}
	if err := m.validate(t); err != nil {
		return nil, err
	}
	return &Bundle{Manifest: m, Trailer: t, r: r}, nil
}

// ID returns the name of the bundle.
func (b *Bundle) ID() ID { return b.Trailer.ID }

// Unpack writes the tree into dst, an empty directory. It returns nil only when
// every frame and every file had the digest of the manifest and the payload held
// all files and nothing else. After an error dst holds part of the tree, or a
// wrong one: unpack to a temporary name and rename. Nothing is synced to disk.
func (b *Bundle) Unpack(ctx context.Context, dst *os.Root) error {
	return b.walk(ctx, rootSink{dst})
}

// Verify checks every byte of the bundle, the stub too, and writes nothing.
func (b *Bundle) Verify(ctx context.Context) error {
	h := sha256.New()
	stub := io.NewSectionReader(b.r, 0, b.Manifest.Stub.Length)
	if n, err := io.Copy(h, stub); err != nil || n < b.Manifest.Stub.Length {
		return readError("stub", err)
	}
	if err := check(h, b.Manifest.Stub.SHA256, "stub"); err != nil {
		return err
	}
	return b.walk(ctx, discardSink{})
}

// check compares what h has read with the digest that the manifest has for it.
func check(h hash.Hash, want Digest, what string) error {
	if got := h.Sum(nil); !bytes.Equal(got, want[:]) {
		return corrupt("%s: its SHA-256 is %x, the manifest says %s", what, got, want)
	}
	return nil
}

// readError tells a file that ends too early from one that cannot be read.
func readError(what string, err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corrupt("%s: the file ends in the middle of it", what)
	}
	return fmt.Errorf("read %s of the bundle: %w", what, err)
}
