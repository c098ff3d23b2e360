package object

import (
	"bufio"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/klauspost/compress/zlib"
)

// Errors of a [Reader]. What the source itself reports is passed on as it is,
// wrapped in nothing, so that a caller can tell a broken connection from broken
// data.
var (
	// ErrCorrupt: the bytes are not the object. [DigestError] and ErrTooBig
	// match it too.
	ErrCorrupt = errors.New("corrupt object")
	// ErrTooBig: the object has more bytes than it may.
	ErrTooBig = fmt.Errorf("%w: too many bytes", ErrCorrupt)
)

// DefaultLimit is the most content an object of unknown size may have.
const DefaultLimit = 4 << 30

// maxLimit is the largest limit: what is added to it must not overflow. No disk holds
// as much.
const maxLimit = 1 << 60

const bufferSize = 32 << 10

// DigestError says that the stored bytes have another hash than the name promises.
// It matches [ErrCorrupt].
type DigestError struct {
	Want, Got Hash
	Bytes     int64 // stored bytes that were read
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("corrupt object %v: %d bytes have the hash %v", e.Want, e.Bytes, e.Got)
}

// Is makes a DigestError match [ErrCorrupt].
func (e *DigestError) Is(target error) bool { return target == ErrCorrupt }

// Spec is what is known of an object before it is read.
type Spec struct {
	Hash        Hash
	Compression Compression
	// Limit is the most bytes of content, 0 for [DefaultLimit]. The stored form
	// is bounded by what zlib can make of so much content.
	Limit int64
}

func (s Spec) limits() (content, stored int64) {
	content = min(s.Limit, maxLimit)
	if content <= 0 {
		content = DefaultLimit
	}
	if s.Compression == Stored {
		return content, content
	}
	return content, content + content>>8 + 4096
}

// MaxStored returns the most bytes that the stored form may have.
func (s Spec) MaxStored() int64 {
	_, stored := s.limits()
	return stored
}

// Reader gives the content of an object and verifies it on the way: io.EOF comes
// only after the last stored byte was hashed and the digest found right. It must
// be closed; it does not close its source. Not for use by several goroutines.
type Reader struct {
	spec    Spec
	in      *input
	content io.Reader
	left    int64 // bytes of content that are still allowed
	err     error
}

// NewReader returns a reader of the object spec, whose stored bytes come from src.
func NewReader(src io.Reader, spec Spec) (*Reader, error) {
	if !spec.Hash.Algorithm().Valid() || spec.Hash.Algorithm() == MD5 || spec.Hash.IsNull() {
		return nil, fmt.Errorf("%w: %v names no object", ErrHash, spec.Hash)
	}
	r := &Reader{spec: spec}
	var stored int64
	r.left, stored = spec.limits()
	r.in = inputs.Get().(*input)
	r.in.start(src, spec.Hash.Algorithm().New(), stored)
	switch spec.Compression {
	case Stored:
		r.content = r.in.buf
	case Zlib: // started by the first Read, because that reads
	default:
		r.Close()
		return nil, fmt.Errorf("%w: unknown %v", ErrCorrupt, spec.Compression)
	}
	return r, nil
}

// Close gives the reader's buffers back. Reading afterwards is an error.
func (r *Reader) Close() error {
	if r.in != nil {
		r.in.release()
		r.in, r.content = nil, nil
		r.err = errors.New("object reader is closed")
	}
	return nil
}

// StoredBytes returns how many bytes have been read from the source.
func (r *Reader) StoredBytes() int64 {
	if r.in == nil {
		return 0
	}
	return r.in.n
}

func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if r.content == nil {
		if r.err = r.fault(r.in.inflate()); r.err != nil {
			return 0, r.err
		}
		r.content = r.in.zlib
	}
	// One byte more than allowed is asked for, to tell the end from too much.
	if int64(len(p)) > r.left+1 {
		p = p[:r.left+1]
	}
	n, err := r.content.Read(p)
	if int64(n) > r.left {
		n, err = int(r.left), ErrTooBig
	}
	r.left -= int64(n)
	switch {
	case err == io.EOF:
		r.err = r.finish()
	case err != nil:
		r.err = r.fault(err)
	}
	return n, r.err
}

// fault says what an error while reading content means: the source's own error
// goes first, all else is corrupt data.
func (r *Reader) fault(err error) error {
	switch {
	case err == nil:
		return nil
	case r.in.err != nil && r.in.err != io.EOF:
		return r.in.err
	case errors.Is(err, ErrCorrupt):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return fmt.Errorf("%w %v: it ends after %d bytes", ErrCorrupt, r.spec.Hash, r.in.n)
	}
	return fmt.Errorf("%w %v: %w", ErrCorrupt, r.spec.Hash, err)
}

// finish is called at the end of the content. It returns io.EOF when the object is
// right.
func (r *Reader) finish() error {
	_, err := r.in.buf.ReadByte()
	switch {
	case err == nil:
		return fmt.Errorf("%w %v: bytes follow the end of its content", ErrCorrupt, r.spec.Hash)
	case err != io.EOF:
		return r.fault(err)
	}
	if got := sumOf(r.spec.Hash.Algorithm(), r.in.hash); got != r.spec.Hash {
		return &DigestError{Want: r.spec.Hash, Got: got, Bytes: r.in.n}
	}
	return io.EOF
}

// inputs keeps the buffers and inflaters of finished readers: an inflater is some
// 40 kB, and objects are often smaller.
var inputs = sync.Pool{New: func() any {
	in := new(input)
	in.buf = bufio.NewReaderSize(in, bufferSize)
	return in
}}

// input reads the stored bytes, hashes, counts and bounds them.
type input struct {
	src  io.Reader
	hash hash.Hash
	n    int64 // bytes so far
	left int64 // bytes still allowed
	err  error // the first error of src, io.EOF included
	buf  *bufio.Reader
	zlib io.ReadCloser
}

func (in *input) start(src io.Reader, h hash.Hash, limit int64) {
	in.src, in.hash, in.n, in.left, in.err = src, h, 0, limit, nil
	in.buf.Reset(in)
}

func (in *input) release() {
	in.src, in.hash = nil, nil
	inputs.Put(in)
}

// inflate starts a zlib stream on the input.
func (in *input) inflate() (err error) {
	if in.zlib == nil {
		in.zlib, err = zlib.NewReader(in.buf)
		return err
	}
	return in.zlib.(zlib.Resetter).Reset(in.buf, nil)
}

// Read implements io.Reader for buf.
func (in *input) Read(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	if int64(len(p)) > in.left+1 {
		p = p[:in.left+1]
	}
	n, err := in.src.Read(p)
	if int64(n) > in.left {
		in.err = ErrTooBig
		return 0, in.err
	}
	in.n += int64(n)
	in.left -= int64(n)
	in.hash.Write(p[:n])
	in.err = err
	return n, err
}
