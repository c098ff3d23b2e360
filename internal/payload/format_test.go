package payload_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

var update = flag.Bool("update", false, "write the worked example into docs/format.md")

const (
	exampleBegin = "<!-- example: made by go test ./internal/payload -run TestFormatPage -update -->\n"
	exampleEnd   = "<!-- end of example -->\n"
)

// TestFormatPage: the worked example in docs/format.md is what the code writes.
func TestFormatPage(t *testing.T) {
	page := filepath.Join(testenv.Root(), "docs", "format.md")
	text, err := os.ReadFile(page)
	must(t, err)
	before, rest, ok1 := strings.Cut(string(text), exampleBegin)
	got, after, ok2 := strings.Cut(rest, exampleEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the example", page)
	}
	want := example(t)
	if *update {
		must(t, os.WriteFile(page, []byte(before+exampleBegin+want+exampleEnd+after), 0o644))
		return
	}
	if got != want {
		t.Errorf("the example in %s is not what the code writes (run the test with -update):\n%s", page, want)
	}
}

// example writes a bundle of two files and describes its bytes.
func example(t *testing.T) string {
	dist := filepath.Join(t.TempDir(), "dist")
	must(t, os.Mkdir(dist, 0o755))
	must(t, os.WriteFile(filepath.Join(dist, ".cvmfsexecdist"), []byte("disttype: standard\nmachtype: rhel9-x86_64\nclient: builtin\n"), 0o644))
	must(t, os.Symlink(".cvmfsexecdist", filepath.Join(dist, "link")))
	var b bytes.Buffer
	id, _, err := payload.Write(t.Context(), &b, payload.Source{Stub: strings.NewReader("(the stub's ELF)"), Dist: openRoot(t, dist)},
		payload.Meta{Kind: payload.Cvmfsexec, Profile: "none", Machine: "rhel9-x86_64", Client: payload.Builtin})
	must(t, err)
	data := b.Bytes()
	tr, err := payload.ReadTrailer(bytes.NewReader(data), int64(len(data)))
	must(t, err)
	var out strings.Builder
	part := func(what string, from, to int64) {
		fmt.Fprintf(&out, "%s, %d bytes from offset %d:\n\n```\n%s```\n\n", what, to-from, from, dump(data[from:to], from))
	}
	end := tr.PayloadOffset + tr.PayloadLength
	part("Stub", 0, tr.PayloadOffset)
	part("Payload: one zstd frame", tr.PayloadOffset, end)
	part("Skip header", end, tr.ManifestOffset)
	fmt.Fprintf(&out, "Manifest, %d bytes from offset %d:\n\n```json\n%s```\n\n", tr.ManifestLength, tr.ManifestOffset, data[tr.ManifestOffset:][:tr.ManifestLength])
	part("Trailer", tr.ManifestOffset+tr.ManifestLength, int64(len(data)))
	fmt.Fprintf(&out, "The ID of this bundle is `%s`.\n", id)
	return out.String()
}

// dump is like hexdump -C with the offsets of the file.
func dump(data []byte, at int64) string {
	var out strings.Builder
	for i := 0; i < len(data); i += 16 {
		line := data[i:min(i+16, len(data))]
		_, rest, _ := strings.Cut(strings.TrimSuffix(hex.Dump(line), "\n"), "  ")
		fmt.Fprintf(&out, "%08x  %s\n", at+int64(i), rest)
	}
	return out.String()
}
