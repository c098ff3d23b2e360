package compressed

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// grow makes the block header at offset at of an xz file ask for a dictionary of
// 4 GB - 1.
func grow(t *testing.T, data []byte, at int) {
	t.Helper()
	size := (int(data[at]) + 1) * 4
	i := bytes.Index(data[at:at+size], []byte{0x21, 1})
	if i < 0 {
		t.Fatalf("unexpected block header % x", data[at:at+size])
	}
	data[at+i+2] = 40
	binary.LittleEndian.PutUint32(data[at+size-4:], crc32.ChecksumIEEE(data[at:at+size-4]))
}

// secondBlock returns where the second block of an xz file begins.
func secondBlock(t *testing.T, data []byte) int {
	t.Helper()
	first := data[12 : 12+(int(data[12])+1)*4-4] // without checksum: others differ in their sizes
	for i := 16; i < len(data)-24; i += 4 {
		if data[i] == first[0] && data[i+1] == first[1] && crc32.ChecksumIEEE(data[i:i+len(first)]) == binary.LittleEndian.Uint32(data[i+len(first):]) {
			return i
		}
	}
	t.Fatal("there is no second block")
	return 0
}

// TestXzDictionary: a dictionary of 4 GB is refused before it is allocated, in
// whatever block of whatever stream.
func TestXzDictionary(t *testing.T) {
	testenv.Needs(t, testenv.Tool("xz", "xz-utils"))
	big := strings.Repeat(text, 1000)
	one := tool(t, big, "xz", "-c")
	for _, tt := range []struct {
		name string
		make func() []byte
	}{
		{"first block", func() []byte {
			data := bytes.Clone(one)
			grow(t, data, 12)
			return data
		}},
		{"second block", func() []byte {
			data := tool(t, big, "xz", "-c", "--block-size=9000")
			grow(t, data, secondBlock(t, data))
			return data
		}},
		{"second block with sizes", func() []byte {
			data := tool(t, big, "xz", "-c", "-T2", "--block-size=9000")
			grow(t, data, secondBlock(t, data))
			return data
		}},
		{"second stream", func() []byte {
			data := append(bytes.Clone(one), one...)
			grow(t, data, len(one)+12)
			return data
		}},
		{"second stream after padding", func() []byte {
			data := append(append(bytes.Clone(one), make([]byte, 8)...), one...)
			grow(t, data, len(one)+8+12)
			return data
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			data := tt.make()
			runtime.ReadMemStats(&before)
			r, err := Open(bytes.NewReader(data), 1<<20)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				r.Close()
			}
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "dictionary") {
				t.Errorf("got %v", err)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 2*maxWindow {
				t.Errorf("took %d MB", got>>20)
			}
		})
	}
}

// TestXzShapes: streams, blocks, checks and padding as xz writes them; cut off
// anywhere, the file is refused.
func TestXzShapes(t *testing.T) {
	testenv.Needs(t, testenv.Tool("xz", "xz-utils"))
	noise := make([]byte, 200_000)
	rand.NewChaCha8([32]byte{}).Read(noise)
	var all []byte
	var want string
	ends := map[int]bool{0: false}
	for _, in := range []string{"", text, strings.Repeat(text, 9000), string(noise)} {
		for _, args := range [][]string{
			{"-0c", "--check=none"}, {"-0c", "--check=crc32"}, {"-0c", "--check=crc64"}, {"-0c", "--check=sha256"},
			{"-0c", "--block-size=10000"}, {"-0c", "-T2", "--block-size=10000"},
		} {
			all = append(all, tool(t, in, "xz", args...)...)
			want += in
			ends[len(all)] = true
		}
		all = append(all, 0, 0, 0, 0)
		ends[len(all)] = true
	}
	r, err := Open(bytes.NewReader(all), int64(len(want)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != want {
		t.Errorf("got %d bytes of %d, %v", len(text), len(want), err)
	}
	for n := range 1000 {
		x, err := newXzReader(bytes.NewReader(all[:n]))
		if err == nil {
			_, err = io.Copy(io.Discard, x)
		}
		if ends[n] != (err == nil) {
			t.Errorf("cut to %d: got %v", n, err)
		}
	}
}

// TestXzDamage: no bit of the file can be changed such that the content is another.
func TestXzDamage(t *testing.T) {
	testenv.Needs(t, testenv.Tool("xz", "xz-utils"))
	data := tool(t, text+text, "xz", "-0c", "-T2", "--block-size=50")
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			x, err := newXzReader(bytes.NewReader(bad))
			var got []byte
			if err == nil {
				got, err = io.ReadAll(x)
			}
			if err == nil && string(got) != text+text {
				t.Errorf("bit %d of byte %d of %d changed: got %q", bit, i, len(data), got)
			}
		}
	}
}

// FuzzXz holds the reader against the library's, for files with small dictionaries.
func FuzzXz(f *testing.F) {
	f.Add([]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3"))
	if out, err := exec.Command("sh", "-c", "printf hello | xz -0c --check=none").Output(); err == nil {
		f.Add(out)
		f.Add(append(out, out...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := newXzReader(bytes.NewReader(data))
		var got []byte
		if err == nil {
			got, err = io.ReadAll(io.LimitReader(x, 1<<20))
		}
		if err != nil || len(got) == 1<<20 {
			return
		}
		r, err := xz.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("the library says: %v", err)
		}
		if want, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, the library %d, %v", len(got), len(want), err)
		}
	})
}
