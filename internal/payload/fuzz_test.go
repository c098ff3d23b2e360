package payload

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"reflect"
	"slices"
	"sync"
	"testing"
)

// FuzzTrailer: what is accepted is written back as the same bytes, and no part
// lies outside the file.
func FuzzTrailer(f *testing.F) {
	good := forge(f, tarOf(f, dirEntry("dist/")), table(dirEntry("dist/")), nil)
	f.Add(good[len(good)-TrailerSize:], int64(len(good)))
	f.Add(bytes.Repeat([]byte{0xff}, TrailerSize), int64(1<<40))
	f.Fuzz(func(t *testing.T, data []byte, size int64) {
		if len(data) != TrailerSize {
			return
		}
		tr, err := parseTrailer([TrailerSize]byte(data), size)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotBundle) {
				t.Errorf("error %v", err)
			}
			return
		}
		if again := tr.bytes(); !bytes.Equal(again[:], data) {
			t.Errorf("% x became % x", data, again)
		}
		if tr.PayloadOffset <= 0 || tr.PayloadLength <= 0 || tr.ManifestOffset < tr.PayloadOffset+tr.PayloadLength || tr.ManifestOffset+tr.ManifestLength > size {
			t.Errorf("%+v in %d bytes", tr, size)
		}
	})
}

// FuzzManifest: what is accepted has a table that stays inside the tree, and
// parse and encode are inverse.
func FuzzManifest(f *testing.F) {
	entries := []entry{dirEntry("dist/"), fileEntry("dist/f", "hello"), linkEntry("dist/l", "f", '2')}
	data := forge(f, tarOf(f, entries...), table(entries...), nil)
	b, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		f.Fatal(err)
	}
	text, err := b.Manifest.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"files":[{"path":"../x","type":"file"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseManifest(text)
		if err != nil {
			return
		}
		if m.validate(b.Trailer) != nil {
			return
		}
		for _, f := range m.Files {
			if err := f.validate(); err != nil {
				t.Errorf("accepted: %v", err)
			}
		}
		again, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if m2, err := parseManifest(again); err != nil || !reflect.DeepEqual(m, m2) {
			t.Errorf("%+v became %+v, %v", m, m2, err)
		}
	})
}

// FuzzPayload: a payload of any bytes whatever, under a manifest that has the right
// digests for it, gives the files of the table or an error.
func FuzzPayload(f *testing.F) {
	entries := []entry{dirEntry("dist/"), fileEntry("dist/f", "hello"), linkEntry("dist/l", "f", '2')}
	raw := tarOf(f, entries...)
	f.Add(raw, true)
	packed, err := encodeFrame(raw)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed, false)
	f.Fuzz(func(t *testing.T, data []byte, isTar bool) {
		if len(data) == 0 {
			return
		}
		if isTar {
			if data, err = encodeFrame(data); err != nil {
				t.Fatal(err)
			}
		}
		b := &Bundle{r: bytes.NewReader(data), Manifest: &Manifest{Files: table(entries...), Frames: []Frame{{
			Length: int64(len(data)), Raw: int64(len(raw)), SHA256: sha256.Sum256(data),
		}}}}
		var got recorder
		err := b.walk(t.Context(), &got)
		if err == nil && (len(got.names) != 3 || !slices.Contains(got.names, "dist/f")) {
			t.Errorf("accepted with the files %q", got.names)
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("error %v", err)
		}
	})
}

// recorder is a sink that notes names.
type recorder struct {
	mu    sync.Mutex
	names []string
}

func (r *recorder) note(f *File) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = append(r.names, f.Path)
	return nil
}

func (r *recorder) dir(f *File) error                      { return r.note(f) }
func (r *recorder) symlink(f *File) error                  { return r.note(f) }
func (r *recorder) finish([]File) error                    { return nil }
func (r *recorder) create(f *File) (io.WriteCloser, error) { return discard{}, r.note(f) }
