package testrepo_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func (s tree) object(h object.Hash, kind object.Suffix, c object.Compression) ([]byte, error) {
	f, err := os.Open(filepath.Join(s.dir, h.Path(kind)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	_, err = object.Copy(&b, f, object.Spec{Hash: h, Compression: c})
	return b.Bytes(), err
}

func (s tree) LoadCatalog(_ context.Context, h object.Hash, _ string) (catalog.File, error) {
	data, err := s.object(h, object.Catalog, object.Zlib)
	return memory{bytes.NewReader(data)}, err
}

// content reads a regular file as the client does.
func (s tree) content(ctx context.Context, t *catalog.Tree, path string, e catalog.Entry) ([]byte, error) {
	if !e.IsChunked() {
		return s.object(e.Hash, object.File, e.Compression)
	}
	chunks, err := t.Chunks(ctx, path)
	var out []byte
	for _, c := range chunks {
		data, err := s.object(c.Hash, object.Chunk, e.Compression)
		if err != nil {
			return nil, err
		}
		out = append(out, data...)
	}
	return out, err
}

// list lists a published tree by means of the client's catalog reader, in the form
// of Expected, with names as they are.
func (s tree) list(ctx context.Context, t *catalog.Tree, path string, out *[]string) error {
	e, err := t.Lookup(ctx, path)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	size, links, target, digest := "-", "-", "-", "-"
	kind := map[catalog.Kind]string{0o100000: "f", 0o040000: "d", 0o120000: "l", 0o010000: "p", 0o140000: "s", 0o020000: "c", 0o060000: "b"}[e.Kind()]
	if !e.IsDir() {
		size, links = fmt.Sprint(e.Size), fmt.Sprint(e.Nlink)
	}
	switch kind {
	case "l":
		target = catalog.ExpandSymlink(e.Symlink, func(string) (string, bool) { return "", false })
		size = fmt.Sprint(len(target))
	case "f":
		data, err := s.content(ctx, t, path, e)
		if err != nil {
			return fmt.Errorf("%q: %w", path, err)
		}
		sum := sha256.Sum256(data)
		digest = hex.EncodeToString(sum[:])
	}
	attrs, err := t.Xattrs(ctx, path)
	if err != nil {
		return err
	}
	var user []string
	for _, a := range attrs {
		if strings.HasPrefix(a.Name, "user.") {
			user = append(user, a.Name+"="+hex.EncodeToString(a.Value))
		}
	}
	slices.Sort(user)
	if user == nil {
		user = []string{"-"}
	}
	*out = append(*out, strings.Join([]string{
		"/" + strings.TrimPrefix(path, "/"), kind, fmt.Sprintf("%04o", e.Mode&0o7777), fmt.Sprint(e.UID), fmt.Sprint(e.GID), size,
		fmt.Sprint(e.ModTime().UnixNano()), links, target, digest, strings.Join(user, ";"),
	}, "\t"))
	if !e.IsDir() {
		return nil
	}
	var names []string
	if err := t.List(ctx, path, func(c catalog.Entry) error { names = append(names, c.Name); return nil }); err != nil {
		return err
	}
	for _, n := range names {
		if err := s.list(ctx, t, path+"/"+n, out); err != nil {
			return err
		}
	}
	return nil
}

// decode takes the percent-encoding back.
func decode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			c, _ := hex.DecodeString(s[i+1 : i+3])
			b.Write(c)
			i += 2
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func TestClientReadsWhatWasPublished(t *testing.T) {
	for _, seed := range testenv.Seeds(t, 3, 50) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			dir := t.TempDir()
			algo := testrepo.Algorithm(seed % 3)
			first := testrepo.Generate("gen.example.org", seed+1000, testrepo.GenerateOptions{FilesPerDir: 5})
			first.Hash = algo
			old, err := first.Publish(dir)
			if err != nil {
				t.Fatal(err)
			}
			r := testrepo.Generate("gen.example.org", seed, testrepo.GenerateOptions{Nested: 3, Dirs: 2, FilesPerDir: 40, Variety: true})
			r.Hash, r.Stored, r.ChunkSize = algo, seed%2 == 0, 1500
			r.Nested("cat00/dir01")
			r.Bind("cat01/before", old)
			r.Bind("before", old)
			p, err := r.Publish(dir)
			if err != nil {
				t.Fatal(err)
			}
			want, err := p.Expected(testrepo.View{})
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range want {
				want[i] = decode(l)
			}
			root, err := object.Parse(p.Root.Hash)
			if err != nil {
				t.Fatal(err)
			}
			s := tree{dir}
			c, err := catalog.NewTree(t.Context(), s, root)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var got []string
			if err := s.list(t.Context(), c, "", &got); err != nil {
				t.Fatal(err)
			}
			slices.Sort(want)
			slices.Sort(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("seed %d: listing (-published +read):\n%s", seed, d)
			}
		})
	}
}
