package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/url"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
	"github.com/cvmfsbundle/cvmfsbundle/internal/listtree"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// TestWholeRepository goes from the master key to the content of every file, and
// does it again with the server gone.
func TestWholeRepository(t *testing.T) {
	for _, name := range testrepo.Fixtures() {
		t.Run(name, func(t *testing.T) {
			dir, key, tsv := testrepo.Fixture(t, name)
			want := digests(t, tsv)
			server, err := testrepo.NewServer()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			server.Add(name, dir)
			cacheDir := t.TempDir() + "/cache"
			for _, offline := range []bool{false, true} {
				s := newSetup(t, name, key, cacheDir, nil, server.ConfigURL())
				root, err := s.Root(t.Context(), trust.Breadcrumb{})
				if err != nil || root.Offline != offline {
					t.Fatalf("root is %+v, %v", root, err)
				}
				tree, err := catalog.NewTree(t.Context(), s, root.Root)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Remember(root.Breadcrumb); err != nil {
					t.Fatal(err)
				}
				got := make(map[string]string)
				walk(t, s.Fetcher, tree, "", got)
				for p, digest := range want {
					if got[p] != digest {
						t.Errorf("offline %v: %q has content %s, want %s", offline, p, got[p], digest)
					}
				}
				if err := tree.Close(); err != nil {
					t.Error(err)
				}
				s.leftovers(t)
				server.Close()
			}
		})
	}
}

// digests returns the SHA-256 of every regular file that the reference client
// could read.
func digests(t *testing.T, tsv string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(tsv)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if f[listtree.Type] != "f" || len(f[listtree.Digest]) != 64 {
			continue
		}
		p, err := url.PathUnescape(f[listtree.Path])
		if err != nil {
			t.Fatal(err)
		}
		out[p] = f[listtree.Digest]
	}
	if len(out) == 0 {
		t.Fatal("no file is listed")
	}
	return out
}

func walk(t *testing.T, f *Fetcher, tree *catalog.Tree, dir string, got map[string]string) {
	t.Helper()
	var entries []catalog.Entry
	if err := tree.List(t.Context(), dir, func(e catalog.Entry) error { entries = append(entries, e); return nil }); err != nil {
		t.Fatalf("list %q: %v", dir, err)
	}
	for _, e := range entries {
		p := dir + "/" + e.Name
		switch {
		case e.IsDir():
			walk(t, f, tree, p, got)
		case e.Kind() == catalog.Regular:
			got[path.Clean(p)] = digest(t, f, tree, p, &e)
		}
	}
}

// digest reads a file, chunk by chunk.
func digest(t *testing.T, f *Fetcher, tree *catalog.Tree, p string, e *catalog.Entry) string {
	t.Helper()
	chunks, suffix := []catalog.Chunk{{Size: e.Size, Hash: e.Hash}}, object.File
	if e.IsChunked() {
		var err error
		if chunks, err = tree.Chunks(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		suffix = object.Chunk
	}
	sum := sha256.New()
	for _, c := range chunks {
		if c.Size == 0 {
			continue
		}
		file, err := f.Object(t.Context(), c.Hash, suffix, e.Compression, c.Size, p)
		if err != nil {
			t.Errorf("%q: %v", p, err)
			return ""
		}
		if _, err := io.Copy(sum, io.NewSectionReader(file, 0, file.Size())); err != nil {
			t.Error(err)
		}
		file.Close()
	}
	return hex.EncodeToString(sum.Sum(nil))
}
