package payload

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
)

// frameSize is how much of the tar stream goes into one frame at most, unless one
// file alone has more. Cutting costs: what is in another frame cannot be referred
// to.
const frameSize = 64 << 20

// encodeWindow is the distance within which zstd finds what it has seen before.
const encodeWindow = 32 << 20

// Source is what a bundle is made of.
type Source struct {
	Stub io.Reader              // the program at the head
	Dist *os.Root               // the dist tree
	Skip func(name string) bool // leaves out a file, or a directory with all in it; nil: nothing
}

// Write writes a bundle to w and returns its ID and manifest. The bytes depend on
// the stub, on the names, types, permissions and content of the tree and on meta,
// on nothing else: not on time, owner, hard links, order on disk or number of
// processors. Hard links become files of their own (zstd stores the second one in
// a few bytes). Devices, sockets, pipes and links that [CheckTarget] refuses are
// errors.
func Write(ctx context.Context, w io.Writer, src Source, meta Meta) (ID, *Manifest, error) {
	if err := meta.validate(); err != nil {
		return ID{}, nil, err
	}
	m := &Manifest{Meta: meta}
	var err error
	if m.Files, err = scan(src); err != nil {
		return ID{}, nil, fmt.Errorf("read the dist tree: %w", err)
	}
	h := sha256.New()
	if m.Stub.Length, err = io.Copy(w, io.TeeReader(src.Stub, h)); err != nil {
		return ID{}, nil, fmt.Errorf("write stub: %w", err)
	}
	if m.Stub.Length == 0 || m.Stub.Length > math.MaxUint32 {
		return ID{}, nil, fmt.Errorf("a stub of %d bytes", m.Stub.Length)
	}
	h.Sum(m.Stub.SHA256[:0])
	c := newCompressor(w, m.Stub.Length)
	err = writeTar(ctx, src.Dist, m, c)
	if m.Frames, err = c.close(err); err != nil {
		return ID{}, nil, err
	}
	id, err := writeEnd(w, m, c.at)
	return id, m, err
}

// writeEnd writes manifest and trailer; end is where the payload ends.
func writeEnd(w io.Writer, m *Manifest, end int64) (ID, error) {
	data, err := m.encode()
	if err != nil {
		return ID{}, err
	}
	t := Trailer{
		Kind:          m.Kind,
		PayloadOffset: m.Stub.Length, PayloadLength: end - m.Stub.Length,
		ManifestOffset: end + skipSize, ManifestLength: int64(len(data)),
		ID: sha256.Sum256(data),
	}
	if err := t.check(t.ManifestOffset + t.ManifestLength + TrailerSize); err != nil {
		return ID{}, err
	}
	if err := m.validate(t); err != nil { // what we write we must be able to read
		return ID{}, err
	}
	head, tail := t.skipHeader(), t.bytes()
	if _, err := w.Write(slices.Concat(head[:], data, tail[:])); err != nil {
		return ID{}, fmt.Errorf("write manifest: %w", err)
	}
	return t.ID, nil
}

// writeTar writes the files of m as a tar stream to c, cut between entries, and
// fills in their digests.
func writeTar(ctx context.Context, dist *os.Root, m *Manifest, c *compressor) error {
	t := tar.NewWriter(c)
	for i := range m.Files {
		f := &m.Files[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.Flush(); err != nil {
			return err
		}
		if err := c.cut(f.Size); err != nil {
			return err
		}
		if err := t.WriteHeader(f.header(m.Epoch)); err != nil {
			return fmt.Errorf("write %q: %w", f.Path, err)
		}
		if f.Type == Regular {
			if err := writeContent(t, dist, f); err != nil {
				return err
			}
		}
	}
	return t.Close()
}

func (f *File) header(epoch int64) *tar.Header {
	h := &tar.Header{Name: f.tarName(), Mode: int64(f.Mode), Size: f.Size, Linkname: f.Target, ModTime: time.Unix(epoch, 0)}
	switch f.Type {
	case Dir:
		h.Typeflag = tar.TypeDir
	case Symlink:
		h.Typeflag, h.Mode = tar.TypeSymlink, 0o777
	default:
		h.Typeflag = tar.TypeReg
	}
	return h
}

func writeContent(t io.Writer, dist *os.Root, f *File) error {
	in, err := dist.Open(f.Path[len(distName)+1:])
	if err != nil {
		return err
	}
	defer in.Close()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(t, h), in)
	if err == nil && n < f.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("pack %q (did it change meanwhile?): %w", f.Path, err)
	}
	h.Sum(f.SHA256[:0])
	return nil
}

// encodeFrame compresses raw as one frame. A new encoder for each, of one thread:
// so the bytes depend on raw alone.
//
// The level is a choice between the time of a build and the size of its file. For
// 21 MB of shared libraries the best level takes 1.7 s and makes 88 % of what gzip
// makes, this one 0.2 s and 95 %; both are decoded in 20 ms. So a build takes less
// time than unpacking the same packages and tar -cz, and its file is smaller.
func encodeFrame(raw []byte) ([]byte, error) {
	z, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithWindowSize(encodeWindow),
		zstd.WithSingleSegment(false), // else the window, and the reader's memory, is the whole frame
		zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("start zstd: %w", err)
	}
	defer z.Close()
	return z.EncodeAll(raw, nil), nil
}
