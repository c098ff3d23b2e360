package object

import (
	"bytes"
	"io"
	"math"
	"testing"
)

// TestHugeLimit: a size that a catalog claims may be any number.
func TestHugeLimit(t *testing.T) {
	data := []byte("some text")
	for _, limit := range []int64{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - 5000, 1 << 62, int64(len(data))} {
		for _, c := range []Compression{Stored, Zlib} {
			s := Spec{Hash: SHA1.Sum(data), Compression: c, Limit: limit}
			if got := s.MaxStored(); got < int64(len(data)) || got+1 <= 0 {
				t.Errorf("limit %d: %d stored bytes", limit, got)
			}
			r, err := NewReader(bytes.NewReader(data), s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if c == Stored && (err != nil || !bytes.Equal(got, data)) || c == Zlib && err == nil {
				t.Errorf("limit %d: got %q, %v", limit, got, err)
			}
			r.Close()
		}
	}
}
