package compressed

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAhead(t *testing.T) {
	big := make([]byte, 5*aheadBlock+17)
	rand.NewChaCha8([32]byte{1}).Read(big)
	for _, size := range []int{0, 1, aheadBlock - 1, aheadBlock, aheadBlock + 1, len(big)} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"plain": func(r io.Reader) io.Reader { return r }, "data with end": iotest.DataErrReader, "half": iotest.HalfReader,
		} {
			a := Ahead(io.NopCloser(wrap(bytes.NewReader(big[:size]))), 2*aheadBlock)
			got, err := io.ReadAll(iotest.HalfReader(a))
			if err != nil || !bytes.Equal(got, big[:size]) {
				t.Errorf("%s, %d bytes: got %d, %v", name, size, len(got), err)
			}
			if n, err := a.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("%s: after the end: %d, %v", name, n, err)
			}
			a.Close()
		}
	}
	failed := errors.New("failed")
	a := Ahead(io.NopCloser(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(failed))), 1)
	if got, err := io.ReadAll(a); string(got) != "abc" || err != failed {
		t.Errorf("got %q, %v", got, err)
	}
	a.Close()
}

// zeros is an endless file that says when it is closed.
type zeros struct{ read, closed int }

func (z *zeros) Read(p []byte) (int, error) { z.read += len(p); return len(p), nil }
func (z *zeros) Close() error               { z.closed++; return nil }

// TestAheadClose: closed in the middle, nothing goes on; and no more is read than
// allowed.
func TestAheadClose(t *testing.T) {
	before := runtime.NumGoroutine()
	z := new(zeros)
	a := Ahead(z, 4*aheadBlock)
	if _, err := io.ReadFull(a, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if z.closed != 1 || z.read > 7*aheadBlock {
		t.Errorf("closed %d times, read %d bytes", z.closed, z.read)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}
