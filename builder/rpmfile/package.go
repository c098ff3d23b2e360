package rpmfile

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/cavaliergopher/rpm"

	"github.com/cvmfsbundle/cvmfsbundle/builder/compressed"
	"github.com/cvmfsbundle/cvmfsbundle/internal/evr"
)

// ErrDigest is wrapped when a digest inside a package does not match its content.
var ErrDigest = errors.New("wrong digest")

// Tags that the library has no method for (rpm, rpmtag.h).
const (
	sigSHA1           = 269  // signature header: of the header, hexadecimal
	sigSHA256         = 273  // the same
	tagPayloadDigest  = 5092 // header: of the compressed payload, hexadecimal
	tagPayloadDigAlgo = 5093 // header: OpenPGP's number of its algorithm
)

// A Package is an open package file.
type Package struct {
	Name string
	EVR  evr.EVR
	Arch string // "src" for a source package

	in      io.ReaderAt
	close   func() error
	head    *rpm.Package
	raw     *headers
	payload int64 // offset

	ahead io.ReadCloser // the payload's content, being decompressed; nil: not begun
}

// NEVRA returns NAME-[EPOCH:]VERSION-RELEASE.ARCH.
func (p *Package) NEVRA() string { return p.Name + "-" + p.EVR.String() + "." + p.Arch }

// Open opens a package file and verifies every digest that it carries of itself.
// Errors wrap [ErrFormat] or [ErrDigest], or are those of reading.
func Open(path string) (*Package, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	p, err := open(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	p.close = f.Close
	return p, nil
}

func open(in io.ReaderAt) (*Package, error) {
	raw, err := readHeaders(io.NewSectionReader(in, 0, 1<<62))
	if err != nil {
		return nil, err
	}
	head, err := rpm.Read(bytes.NewReader(raw.raw))
	if err != nil {
		return nil, badFormat("%v", err)
	}
	p := &Package{
		Name:    head.Name(),
		EVR:     evr.EVR{Epoch: uint32(head.Epoch()), Version: head.Version(), Release: head.Release()},
		Arch:    head.Architecture(),
		in:      in,
		head:    head,
		raw:     raw,
		payload: int64(len(raw.raw)),
	}
	if head.SourceRPM() == "" && head.Header.GetTag(1106) != nil { // SOURCEPACKAGE
		p.Arch = "src"
	}
	if err := p.verifyHeader(); err != nil {
		return nil, err
	}
	return p, p.verifyPayload()
}

// Close closes the file.
func (p *Package) Close() error {
	if p.ahead != nil {
		p.ahead.Close()
	}
	return p.close()
}

// aheadBytes is how much of a package is decompressed before it is wanted.
const aheadBytes = 16 << 20

// Prepare begins to decompress the payload in the background, so that the packages
// that are extracted after others need not be waited for. Errors come from
// [Package.Extract].
func (p *Package) Prepare() {
	if p.ahead != nil {
		return
	}
	if r, err := compressed.Open(p.compressedPayload(), maxContent); err == nil {
		p.ahead = compressed.Ahead(r, aheadBytes)
	}
}

// content returns the payload, decompressed: what Prepare has begun, if it was called
// since.
func (p *Package) content() (io.ReadCloser, error) {
	if r := p.ahead; r != nil {
		p.ahead = nil
		return r, nil
	}
	return compressed.Open(p.compressedPayload(), maxContent)
}

// HasDigests reports whether the package carries digests of its header and of its
// payload, as all since rpm 4.14 do.
func (p *Package) HasDigests() (header, payload bool) {
	return p.head.Signature.GetTag(sigSHA256).String() != "", p.head.Header.GetTag(tagPayloadDigest).String() != ""
}

func (p *Package) verifyHeader() error {
	header := p.raw.raw[p.raw.header:]
	if want := p.head.Signature.GetTag(sigSHA256).String(); want != "" {
		if got := sha256.Sum256(header); hex.EncodeToString(got[:]) != want {
			return fmt.Errorf("SHA-256 of the header: %w", ErrDigest)
		}
	}
	if want := p.head.Signature.GetTag(sigSHA1).String(); want != "" {
		if got := sha1.Sum(header); hex.EncodeToString(got[:]) != want {
			return fmt.Errorf("SHA-1 of the header: %w", ErrDigest)
		}
	}
	return nil
}

func (p *Package) verifyPayload() error {
	want := p.head.Header.GetTag(tagPayloadDigest).String()
	if want == "" {
		return nil
	}
	var h hash.Hash
	switch algo := p.head.Header.GetTag(tagPayloadDigAlgo).Int64(); algo { // RFC 4880, 9.4
	case 8:
		h = sha256.New()
	case 9:
		h = sha512.New384()
	case 10:
		h = sha512.New()
	case 11:
		h = sha256.New224()
	default:
		return badFormat("the payload's digest is of unknown type %d", algo)
	}
	if _, err := io.Copy(h, p.compressedPayload()); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != want {
		return fmt.Errorf("digest of the payload: %w", ErrDigest)
	}
	return nil
}

// compressedPayload returns the payload from its beginning, as it is in the file.
func (p *Package) compressedPayload() io.Reader {
	return io.NewSectionReader(p.in, p.payload, 1<<62)
}

// BuildTime returns when the package was built, in seconds since 1970; 0 if it does
// not say.
func (p *Package) BuildTime() int64 { return max(p.head.Header.GetTag(1006).Int64(), 0) } // BUILDTIME
