package fusefs

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// sparse gives every object as a file of zeros with a mark at either end.
type sparse struct{ dir string }

func (s sparse) Open(_ context.Context, o Object) (Content, error) {
	f, err := os.Create(filepath.Join(s.dir, o.Hash.String()))
	if err != nil {
		return nil, err
	}
	mark := o.Hash.String()[:4]
	f.WriteAt([]byte("<"+mark), 0)
	f.WriteAt([]byte(mark+">"), o.Size-5)
	return f, f.Truncate(o.Size)
}

// TestLargeFiles reads around borders of chunks, four gigabytes and the end, in
// chunked files and in whole ones.
func TestLargeFiles(t *testing.T) {
	const gb = 1 << 30
	const size = 5*gb + 7
	r := newRig(t, func(r *rig, c *Config) {
		c.Objects = sparse{t.TempDir()}
		hash := func(i int) object.Hash { return object.SHA1.Sum(fmt.Appendf(nil, "chunk %d", i)) }
		r.add("/chunked", catalog.Entry{Mode: 0o100644, Size: size, Flags: catalog.FlagChunked})
		for i := range 6 {
			r.tree.chunks["/chunked"] = append(r.tree.chunks["/chunked"], catalog.Chunk{
				Offset: int64(i) * gb, Size: min(gb, size-int64(i)*gb), Hash: hash(i),
			})
		}
		r.add("/whole", catalog.Entry{Mode: 0o100644, Size: size, Hash: hash(100)})
	})
	mark := func(i int) string { return r.tree.chunks["/chunked"][i].Hash.String()[:4] }
	whole := r.tree.entries["/whole"].Hash.String()[:4]
	for _, tt := range []struct {
		path      string
		off       uint64
		n         int
		want      string // with the zeros taken away
		wantBytes int
	}{
		{"/chunked", 0, 10, "<" + mark(0), 10},
		{"/chunked", 4*gb - 8, 16, mark(3) + "><" + mark(4), 16},
		{"/chunked", 5*gb - 3, 100, mark(4)[2:] + "><" + mark(5)[:1] + mark(5) + ">", 10},
		{"/chunked", size - 1, 100, ">", 1},
		{"/chunked", size, 100, "", 0},
		{"/chunked", size + 1, 100, "", 0},
		{"/chunked", math.MaxInt64, 100, "", 0},
		{"/chunked", math.MaxUint64 - 10, 100, "", 0},
		{"/whole", 4*gb - 1, 3, "", 3},
		{"/whole", size - 5, 100, whole + ">", 5},
		{"/whole", size, 100, "", 0},
		{"/whole", math.MaxUint64 - 10, 100, "", 0},
	} {
		fh, s := r.open(tt.path)
		if s != fuse.OK {
			t.Fatal(s)
		}
		buf := make([]byte, tt.n)
		res, s := r.fs.Read(r.none, &fuse.ReadIn{Fh: fh, Offset: tt.off, Size: uint32(tt.n)}, buf)
		if s != fuse.OK {
			t.Errorf("%s at %d: %v", tt.path, tt.off, s)
			continue
		}
		got, _ := res.Bytes(nil)
		if text := strings.ReplaceAll(string(got), "\x00", ""); text != tt.want || len(got) != tt.wantBytes {
			t.Errorf("%s at %d: %d bytes, %q; want %d, %q", tt.path, tt.off, len(got), text, tt.wantBytes, tt.want)
		}
		r.fs.Release(r.none, &fuse.ReleaseIn{Fh: fh})
	}
	if e := r.walk("/chunked"); e.Size != size {
		t.Errorf("size is %d", e.Size)
	}
	if n := len(r.fs.lists.by); n != 0 {
		t.Errorf("%d lists of chunks are left", n)
	}
}

// TestListingSize: the listing of an open directory, some 130 bytes for each entry, has
// little room that it does not need.
func TestListingSize(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) {
		r.dir("/d")
		for i := range 1000 {
			r.file(fmt.Sprintf("/d/file-%06d", i), "")
		}
	})
	e := r.walk("/d")
	var out fuse.OpenOut
	if s := r.fs.OpenDir(r.none, &fuse.OpenIn{InHeader: r.header(e.NodeId)}, &out); s != fuse.OK {
		t.Fatal(s)
	}
	d, _ := r.fs.dirs.get(out.Fh)
	if _, s := r.fs.listing(r.none, &fuse.ReadIn{InHeader: r.header(e.NodeId), Fh: out.Fh}); s != fuse.OK {
		t.Fatal(s)
	}
	if len(d.list) != 1002 || cap(d.list) > 1500 {
		t.Errorf("%d entries in room for %d", len(d.list), cap(d.list))
	}
}
