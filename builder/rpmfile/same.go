package rpmfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cavaliergopher/cpio"
)

// errConflict: two packages have different files of one name.
var errConflict = fmt.Errorf("%w: another package has a different file of this name", ErrHostile)

// sameFile consumes a file's content and compares it with the file that is there.
func (x *extraction) sameFile(name string, hdr *cpio.Header, r io.Reader) error {
	if x.own[name] {
		return fmt.Errorf("%w: the archive has this path twice", ErrHostile)
	}
	fi, err := x.root.Lstat(name)
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() || fi.Size() != hdr.Size {
		return errConflict
	}
	f, err := x.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	a, b := bufio.NewReader(f), bufio.NewReader(io.LimitReader(r, hdr.Size))
	var bufA, bufB [4096]byte
	for {
		n, errA := io.ReadFull(a, bufA[:])
		m, errB := io.ReadFull(b, bufB[:])
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			return errConflict
		}
		if errA != nil || errB != nil {
			if end(errA) && end(errB) {
				return nil
			}
			return errors.Join(errA, errB)
		}
	}
}

func end(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

// sameLink compares a link with what is there.
func (x *extraction) sameLink(name, target string) error {
	if x.own[name] {
		return fmt.Errorf("%w: the archive has this path twice", ErrHostile)
	}
	if got, err := x.root.Readlink(name); err != nil || got != target {
		return errConflict
	}
	return nil
}

func conflict(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return errConflict
	}
	return err
}
