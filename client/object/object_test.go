package object

import (
	"bytes"
	"compress/zlib"
	"crypto/sha3"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAlgorithms(t *testing.T) {
	shake := make([]byte, 20)
	x := sha3.NewSHAKE128()
	x.Write([]byte("abc"))
	x.Read(shake)
	for _, tt := range []struct {
		alg  Algorithm
		want string
	}{
		{MD5, "900150983cd24fb0d6963f7d28e17f72"},
		{SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{RIPEMD160, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc-rmd160"},
		{SHAKE128, "5881092dd818bf5cf8a3ddb793fbcba74097d5c5-shake128"},
	} {
		got := tt.alg.Sum([]byte("abc"))
		if got.String() != tt.want {
			t.Errorf("%v of abc = %v, want %s", tt.alg, got, tt.want)
		}
		back, err := Parse(tt.want)
		if err != nil || back != got {
			t.Errorf("Parse(%q) = %v, %v", tt.want, back, err)
		}
		if d, err := FromDigest(tt.alg, got.Digest()); err != nil || d != got {
			t.Errorf("FromDigest(%v) = %v, %v", tt.alg, d, err)
		}
	}
	// A running hash may be asked for its sum in between.
	h := SHAKE128.New()
	h.Write([]byte("a"))
	h.Sum(nil)
	h.Write([]byte("bc"))
	if got := h.Sum(nil); !bytes.Equal(got, shake) {
		t.Errorf("SHAKE128 with a sum in between = %x, want %x", got, shake)
	}
}

func TestParseRefuses(t *testing.T) {
	sha := strings.Repeat("a1", 20)
	for _, text := range []string{
		"", "-", "a", sha[:39], sha + "a", sha + "C", strings.ToUpper(sha), sha + "-", sha + "-rmd161",
		sha + "-RMD160", sha + "-shake128C", sha[:32] + "-rmd160", sha[:38] + "g0", " " + sha[1:], sha + "\n",
	} {
		if h, err := Parse(text); !errors.Is(err, ErrHash) {
			t.Errorf("Parse(%q) = %v, %v, want ErrHash", text, h, err)
		}
	}
	if _, err := FromDigest(4, make([]byte, 20)); !errors.Is(err, ErrHash) {
		t.Errorf("unknown algorithm: %v", err)
	}
	if _, err := FromDigest(SHA1, make([]byte, 16)); !errors.Is(err, ErrHash) {
		t.Errorf("short digest: %v", err)
	}
}

func TestPaths(t *testing.T) {
	h, err := Parse("5881092dd818bf5cf8a3ddb793fbcba74097d5c5-shake128")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.Path(Catalog), "data/58/81092dd818bf5cf8a3ddb793fbcba74097d5c5-shake128C"; got != want {
		t.Errorf("Path = %q, want %q", got, want)
	}
	if got, want := h.Path(File), "data/58/81092dd818bf5cf8a3ddb793fbcba74097d5c5-shake128"; got != want {
		t.Errorf("Path = %q, want %q", got, want)
	}
	if got, want := h.AltPath(Certificate), ".cvmfsalt-5881092dd818bf5cf8a3ddb793fbcba74097d5c5-shake128X"; got != want {
		t.Errorf("AltPath = %q, want %q", got, want)
	}
	null, err := FromDigest(SHAKE128, make([]byte, 20))
	if err != nil || !null.IsNull() || null.String() != strings.Repeat("0", 40) {
		t.Errorf("null hash: %v %v", null, err)
	}
}

func deflate(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCopy(t *testing.T) {
	for _, size := range []int{0, 1, 100, bufferSize, 128 << 10, 128<<10 + 1, 3 << 20} {
		content := bytes.Repeat([]byte("0123456789abcdefghi\n"), size/20+1)[:size]
		for _, c := range []Compression{Zlib, Stored} {
			stored := content
			if c == Zlib {
				stored = deflate(t, content)
			}
			for _, a := range []Algorithm{SHA1, RIPEMD160, SHAKE128} {
				spec := Spec{Hash: a.Sum(stored), Compression: c, Limit: int64(max(size, 1))}
				var out bytes.Buffer
				n, err := Copy(&out, bytes.NewReader(stored), spec)
				if err != nil || n != int64(size) || !bytes.Equal(out.Bytes(), content) {
					t.Errorf("%d bytes, %v, %v: copied %d, %v", size, c, a, n, err)
				}
				if size > 100000 {
					continue
				}
				out.Reset()
				if _, err = Copy(&out, iotest.OneByteReader(bytes.NewReader(stored)), spec); err != nil {
					t.Errorf("%d bytes, %v, %v, byte by byte: %v", size, c, a, err)
				}
			}
		}
	}
}

func TestCopyRefuses(t *testing.T) {
	content := bytes.Repeat([]byte("some content "), 10000)
	packed := deflate(t, content)
	flipped := bytes.Clone(packed)
	flipped[len(flipped)/2] ^= 1
	adler := bytes.Clone(packed)
	adler[len(adler)-1] ^= 1
	broken := errors.New("connection reset")
	bomb := deflate(t, make([]byte, 10<<20))
	for _, tt := range []struct {
		name string
		src  io.Reader
		spec Spec
		want error
	}{
		{"flipped", bytes.NewReader(flipped), Spec{Hash: SHA1.Sum(packed)}, ErrCorrupt},
		{"flipped, hash fits", bytes.NewReader(adler), Spec{Hash: SHA1.Sum(adler)}, ErrCorrupt},
		{"wrong hash", bytes.NewReader(packed), Spec{Hash: SHA1.Sum(content)}, ErrCorrupt},
		{"wrong hash, stored", bytes.NewReader(packed), Spec{Hash: SHA1.Sum(content), Compression: Stored}, ErrCorrupt},
		{"cut", bytes.NewReader(packed[:len(packed)/2]), Spec{Hash: SHA1.Sum(packed)}, ErrCorrupt},
		{"cut, hash fits", bytes.NewReader(packed[:len(packed)-4]), Spec{Hash: SHA1.Sum(packed[:len(packed)-4])}, ErrCorrupt},
		{"empty", bytes.NewReader(nil), Spec{Hash: SHA1.Sum(nil)}, ErrCorrupt},
		{"garbage follows", bytes.NewReader(append(bytes.Clone(packed), 0)), Spec{Hash: SHA1.Sum(packed)}, ErrCorrupt},
		{"garbage, hash fits", bytes.NewReader(append(bytes.Clone(packed), 0)), Spec{Hash: SHA1.Sum(append(bytes.Clone(packed), 0))}, ErrCorrupt},
		{"two streams", bytes.NewReader(append(bytes.Clone(packed), packed...)), Spec{Hash: SHA1.Sum(packed)}, ErrCorrupt},
		{"too big", bytes.NewReader(packed), Spec{Hash: SHA1.Sum(packed), Limit: int64(len(content) - 1)}, ErrTooBig},
		{"too big, stored", bytes.NewReader(packed), Spec{Hash: SHA1.Sum(packed), Compression: Stored, Limit: int64(len(packed) - 1)}, ErrTooBig},
		{"bomb", bytes.NewReader(bomb), Spec{Hash: SHA1.Sum(bomb), Limit: 1 << 20}, ErrTooBig},
		{"endless", neverEnds{}, Spec{Hash: SHA1.Sum(packed), Compression: Stored, Limit: 1 << 20}, ErrTooBig},
		{"raw deflate", bytes.NewReader(packed[2:]), Spec{Hash: SHA1.Sum(packed[2:])}, ErrCorrupt},
		{"unknown compression", bytes.NewReader(packed), Spec{Hash: SHA1.Sum(packed), Compression: 2}, ErrCorrupt},
		{"MD5", bytes.NewReader(packed), Spec{Hash: MD5.Sum(packed)}, ErrHash},
		{"null hash", bytes.NewReader(packed), Spec{}, ErrHash},
		{"source fails", io.MultiReader(bytes.NewReader(packed[:len(packed)/2]), iotest.ErrReader(broken)), Spec{Hash: SHA1.Sum(packed)}, broken},
		{"source fails at the end", io.MultiReader(bytes.NewReader(packed), iotest.ErrReader(broken)), Spec{Hash: SHA1.Sum(packed)}, broken},
		{"body cut short", io.MultiReader(bytes.NewReader(packed[:9]), iotest.ErrReader(io.ErrUnexpectedEOF)), Spec{Hash: SHA1.Sum(packed)}, io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Copy(io.Discard, tt.src, tt.spec)
			if !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if limit, _ := tt.spec.limits(); n > limit {
				t.Errorf("%d bytes were written, limit %d", n, limit)
			}
		})
	}
}

// neverEnds gives zeros for ever.
type neverEnds struct{}

func (neverEnds) Read(p []byte) (int, error) { return len(p), nil }

func TestCopyWriteError(t *testing.T) {
	packed := deflate(t, []byte("content"))
	full := errors.New("no space left")
	r, w := io.Pipe()
	r.CloseWithError(full)
	_, err := Copy(w, bytes.NewReader(packed), Spec{Hash: SHA1.Sum(packed)})
	var we *WriteError
	if !errors.As(err, &we) || !errors.Is(err, full) || errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want a WriteError of %v", err, full)
	}
}

func TestReaderAfterClose(t *testing.T) {
	r, err := NewReader(strings.NewReader("x"), Spec{Hash: SHA1.Sum([]byte("x")), Compression: Stored})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("read after close: %d, %v", n, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("900150983cd24fb0d6963f7d28e17f72")
	f.Add("a9993e364706816aba3e25717850c26c9cd0d89d")
	f.Add("8eb208f7e05d987a9b044a8e98c6b087f15a0bfc-rmd160")
	f.Add("5881092dd818bf5cf8a3ddb793fbcba74097d5c5-shake128")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := Parse(text)
		if err == nil && !h.IsNull() && h.String() != text {
			t.Errorf("Parse(%q) = %q", text, h)
		}
	})
}

// FuzzCopy: whatever the bytes, a copy succeeds only for the named object, and the
// limit holds.
func FuzzCopy(f *testing.F) {
	content := []byte("some content, some content, some content")
	f.Add(deflate(f, content), false)
	f.Add(content, true)
	f.Add(deflate(f, make([]byte, 1<<20)), false)
	f.Fuzz(func(t *testing.T, data []byte, stored bool) {
		spec := Spec{Hash: SHA1.Sum(data), Limit: 64 << 10}
		if stored {
			spec.Compression = Stored
		}
		var out bytes.Buffer
		n, err := Copy(&out, bytes.NewReader(data), spec)
		if n > spec.Limit || int64(out.Len()) != n {
			t.Fatalf("%d bytes written, %d reported, limit %d", out.Len(), n, spec.Limit)
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("unexpected kind of error: %v", err)
		}
		spec.Hash = SHA1.Sum(append(bytes.Clone(data), 1))
		if _, err := Copy(io.Discard, bytes.NewReader(data), spec); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("with a wrong hash: %v", err)
		}
	})
}

func BenchmarkCopy(b *testing.B) {
	content := make([]byte, 16<<20)
	for i := range content {
		content[i] = byte(i>>9) ^ byte(i*i>>12)&7
	}
	packed := deflate(b, content)
	for _, tt := range []struct {
		name string
		data []byte
		spec Spec
	}{
		{"zlib", packed, Spec{Hash: SHA1.Sum(packed)}},
		{"stored", content, Spec{Hash: SHA1.Sum(content), Compression: Stored}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Copy(io.Discard, bytes.NewReader(tt.data), tt.spec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
