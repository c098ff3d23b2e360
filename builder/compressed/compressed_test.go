package compressed

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

const text = "what is inside, what is inside, what is inside\n"

func tool(t testing.TB, in string, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRealTools reads what the usual programs write.
func TestRealTools(t *testing.T) {
	big := strings.Repeat(text, 5000)
	for _, tt := range [][]string{
		{"gzip", "-9c"}, {"xz", "-9ec"}, {"xz", "-0c", "--check=sha256"}, {"xz", "-c", "--block-size=9000"},
		{"zstd", "-19c"}, {"zstd", "-c", "--ultra", "-22", "--long=27"}, {"bzip2", "-c"}, {"cat"},
	} {
		t.Run(strings.Join(tt, " "), func(t *testing.T) {
			testenv.Needs(t, testenv.Tool(tt[0], tt[0]))
			data := tool(t, big, tt[0], tt[1:]...)
			r, err := Open(bytes.NewReader(data), int64(len(big)))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := io.ReadAll(r)
			if err != nil || string(got) != big {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			r, err = Open(bytes.NewReader(data), int64(len(big))-1)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if n, err := io.Copy(io.Discard, r); !errors.Is(err, ErrTooLarge) || n != int64(len(big))-1 {
				t.Errorf("one byte too many: got %d, %v", n, err)
			}
			if tt[0] == "cat" {
				return
			}
			r, err = Open(bytes.NewReader(data[:len(data)-3]), 1<<30)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				r.Close()
			}
			if err == nil {
				t.Error("a file that is cut off was accepted")
			}
		})
	}
}

func TestSmallAndUnknown(t *testing.T) {
	for _, in := range []string{"", "x", "plain text of more than thirty-two bytes, as it is"} {
		r, err := Open(strings.NewReader(in), 100)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != in {
			t.Errorf("got %q, %v", got, err)
		}
	}
	for _, in := range []string{"\x5d\x00\x00\x80\x00", "\x00ZCK1"} {
		if _, err := Open(strings.NewReader(in), 100); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

// TestBomb: gigabytes from a small file cost neither memory nor time beyond the limit.
func TestBomb(t *testing.T) {
	testenv.Needs(t, testenv.Tool("zstd", "zstd"))
	cmd := exec.Command("sh", "-c", "head -c 300000000 /dev/zero | zstd -c --ultra -22 --long=27")
	data, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := Open(bytes.NewReader(data), 10<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, ErrTooLarge) || n != 10<<20 {
		t.Errorf("got %d, %v", n, err)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 3*maxWindow {
		t.Errorf("took %d MB", grown>>20)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(text))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	f.Add([]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3"))
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Open(bytes.NewReader(data), 1<<20)
		if err != nil {
			return
		}
		defer r.Close()
		if n, _ := io.Copy(io.Discard, r); n > 1<<20 {
			t.Errorf("%d bytes", n)
		}
	})
}
