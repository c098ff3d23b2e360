package catalog

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExpandSymlink(t *testing.T) {
	env := map[string]string{"A": "x", "EMPTY": "", "P": "$(A)"}
	lookup := func(n string) (string, bool) { v, ok := env[n]; return v, ok }
	for raw, want := range map[string]string{
		"":                     "",
		"plain/text":           "plain/text",
		"$(A)":                 "x",
		"a/$(A)/b$(A)":         "a/x/bx",
		"$(A:-d)":              "x",
		"$(NO:-d)/e":           "d/e",
		"$(NO)/e":              "/e",
		"$(EMPTY:-d)":          "",
		"$(NO:-)":              "",
		"$(NO:-a:-b)":          "a:-b",
		"$(NO:-$(A))":          "$(A)",
		"$(P)":                 "$(A)",
		"$(A":                  "$(A",
		"$(A)$(A":              "x$(A",
		"$A)":                  "$A)",
		"$$(A)":                "$x",
		"$()":                  "",
		"$(:-d)":               "d",
		"/cvmfs/$(NO:-/x y)/z": "/cvmfs//x y/z",
	} {
		if got := ExpandSymlink(raw, lookup); got != want {
			t.Errorf("%q gives %q, want %q", raw, got, want)
		}
	}
}

// xattrBlob writes attributes in a version.
func xattrBlob(version byte, list []Xattr) []byte {
	out := []byte{version, byte(len(list))}
	for _, x := range list {
		out = append(out, byte(len(x.Name)), byte(len(x.Value)))
		if version == 2 {
			out = append(out, byte(len(x.Value)>>8))
		}
		out = append(append(out, x.Name...), x.Value...)
	}
	return out
}

func TestParseXattrs(t *testing.T) {
	list := []Xattr{{"user.a", []byte("1")}, {"security.capability", []byte{0, 1, 2}}, {"user.empty", []byte{}}}
	large := []Xattr{{"user.large", bytes.Repeat([]byte("x"), 60_000)}, {"k", []byte("v")}}
	v1 := xattrBlob(1, list)
	tests := []struct {
		name string
		blob []byte
		want []Xattr
	}{
		{"version 1", v1, list},
		{"version 2", xattrBlob(2, large), large},
		{"bytes behind", append(bytes.Clone(v1), "more"...), list},
		{"none", []byte{1, 0}, nil},
		{"no blob", nil, nil},
		{"version alone", []byte{1}, nil},
		{"version 0", xattrBlob(0, list), nil},
		{"version 3", xattrBlob(3, list), nil},
		{"cut", v1[:len(v1)-1], nil},
		{"empty name", xattrBlob(1, []Xattr{{"", []byte("v")}}), nil},
		{"NUL in name", xattrBlob(1, []Xattr{{"user.\x00", []byte("v")}}), nil},
		{"count too large", []byte{1, 255, 1, 1, 'a', 'b'}, nil},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, ParseXattrs(tt.blob)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
	for n := range v1 {
		if got := ParseXattrs(v1[:n]); got != nil {
			t.Errorf("cut to %d bytes: %v", n, got)
		}
	}
}

// TestXattrsOverflow: attributes larger than a page, found through a tree.
func TestXattrsOverflow(t *testing.T) {
	list := []Xattr{{"user.large", bytes.Repeat([]byte("x"), 60_000)}, {"user.larger", bytes.Repeat([]byte("y"), 65_535)}}
	b := newBuilder(t, 512, "")
	b.file("/f")
	b.set("/f", "xattr = ?", xattrBlob(2, list))
	b.file("/bad")
	b.set("/bad", "xattr = ?", []byte{1, 9})
	tree := single(t, b)
	got, err := tree.Xattrs(t.Context(), "/f")
	if d := cmp.Diff(list, got); d != "" || err != nil {
		t.Errorf("%v: %.300s", err, d)
	}
	for _, path := range []string{"", "/bad"} {
		if got, err := tree.Xattrs(t.Context(), path); got != nil || err != nil {
			t.Errorf("%q: %v, %v", path, got, err)
		}
	}
}

func FuzzParseXattrs(f *testing.F) {
	f.Add(xattrBlob(1, []Xattr{{"user.a", []byte("1")}}))
	f.Add(xattrBlob(2, []Xattr{{"user.a", bytes.Repeat([]byte("1"), 300)}}))
	f.Fuzz(func(t *testing.T, blob []byte) {
		list := ParseXattrs(blob)
		if len(list) == 0 {
			return
		}
		if again := xattrBlob(blob[0], list); !bytes.HasPrefix(blob, again) {
			t.Errorf("%v gives %x, from %x", list, again, blob)
		}
	})
}

func FuzzExpandSymlink(f *testing.F) {
	f.Add("a/$(B:-c)/d")
	f.Fuzz(func(t *testing.T, raw string) {
		got := ExpandSymlink(raw, func(string) (string, bool) { return "", false })
		if len(got) > len(raw) || !strings.Contains(raw, "$(") && got != raw {
			t.Errorf("%q gives %q", raw, got)
		}
	})
}
