package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// Errors of a download that no other try can mend.
var (
	errLocal   = errors.New("cannot write")
	errTooLong = errors.New("the file is longer than announced")
	errShort   = errors.New("the file is shorter than announced")
)

// A DigestError says that a file is not the one that its metadata describes.
type DigestError struct {
	Type      string // algorithm
	Want, Got string // hexadecimal
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("wrong %s checksum: it is %s, the metadata says %s", e.Type, e.Got, e.Want)
}

// A File is a file to download.
type File struct {
	Name string   // for progress
	URLs []string // where it is, preferred first
	Size int64    // exact size in bytes; -1 when not known
	Max  int64    // limit in bytes when Size is -1
	// The checksum: algorithm name, hexadecimal digest and a new hash.
	Type, Hex string
	Hash      func() hash.Hash
}

func (f File) limit() int64 {
	if f.Size >= 0 {
		return f.Size
	}
	return f.Max
}

// Get downloads a small file, of at most max bytes, into memory. There is no
// checksum to hold it against.
func (c *Client) Get(ctx context.Context, urls []string, max int64) ([]byte, error) {
	var buf bytes.Buffer
	err := c.try(ctx, urls, func(url string) error {
		buf.Reset()
		return c.body(ctx, url, func(r io.Reader, length int64) error {
			n, err := io.Copy(&buf, io.LimitReader(r, max+1))
			return checkLength(n, length, max, err)
		})
	})
	if err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// File downloads f to path, which appears only when size and checksum are right. It
// returns the URL that served it and the SHA-256 of the file.
func (c *Client) File(ctx context.Context, f File, path string) (from string, sum [sha256.Size]byte, err error) {
	bar := c.opts.Progress.Start(f.Name, f.Size)
	defer bar.Done()
	err = c.try(ctx, f.URLs, func(url string) error {
		bar.Reset()
		from = url
		return c.body(ctx, url, func(r io.Reader, length int64) error {
			h := sha256.New()
			err := f.write(path, io.MultiWriter(bar, h), r, length)
			h.Sum(sum[:0])
			return err
		})
	})
	return from, sum, err
}

func (f File) write(path string, bar io.Writer, r io.Reader, length int64) error {
	out, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return fmt.Errorf("%w: %w", errLocal, err)
	}
	defer os.Remove(out.Name()) // fails after the rename
	defer out.Close()
	h := f.Hash()
	n, err := io.Copy(io.MultiWriter(local{out}, h, bar), io.LimitReader(r, f.limit()+1))
	if err := checkLength(n, length, f.limit(), err); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != f.Hex {
		return &DigestError{f.Type, f.Hex, got}
	}
	if f.Size >= 0 && n != f.Size {
		return errShort
	}
	if err := errors.Join(out.Close(), os.Rename(out.Name(), path)); err != nil {
		return fmt.Errorf("%w: %w", errLocal, err)
	}
	return nil
}

// checkLength judges a body of n bytes.
func checkLength(n, announced, max int64, err error) error {
	switch {
	case n > max:
		return errTooLong
	case err != nil:
		return err
	case announced >= 0 && n != announced:
		return errShort
	}
	return nil
}

// local marks errors of writing, which are not the server's.
type local struct{ w io.Writer }

func (l local) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	if err != nil {
		err = fmt.Errorf("%w: %w", errLocal, err)
	}
	return n, err
}
