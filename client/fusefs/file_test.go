package fusefs

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
)

func TestReadWhole(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) {
		r.file("/f", "0123456789")
		r.add("/empty", catalog.Entry{Mode: 0o100644})
		r.add("/gone", catalog.Entry{Mode: 0o100644, Size: 3, Hash: r.objs.add([]byte("xyz"))})
		r.file("/direct", "d")
		e := r.tree.entries["/direct"]
		e.Flags |= catalog.FlagDirectIO
		r.tree.entries["/direct"] = e
		r.dir("/d")
	})
	clear(r.objs.data)
	r.objs.add([]byte("0123456789"))
	fh, s := r.open("/f")
	if s != fuse.OK {
		t.Fatal(s)
	}
	for _, tt := range []struct {
		off, n int
		want   string
	}{{0, 4, "0123"}, {8, 100, "89"}, {10, 1, ""}, {1 << 40, 5, ""}, {0, 10, "0123456789"}} {
		if got, s := r.read(fh, tt.off, tt.n); got != tt.want || s != fuse.OK {
			t.Errorf("read %d at %d = %q, %v", tt.n, tt.off, got, s)
		}
	}
	fe, s := r.open("/empty")
	if got, rs := r.read(fe, 0, 10); s != fuse.OK || got != "" || rs != fuse.OK || r.objs.opens != 1 {
		t.Errorf("empty file: %v, %q, %v, %d objects", s, got, rs, r.objs.opens)
	}
	if _, s := r.open("/gone"); s != fuse.EIO {
		t.Errorf("missing object: %v", s)
	}
	if _, s := r.open("/d"); s != fuse.Status(syscall.EISDIR) {
		t.Errorf("open of a directory: %v", s)
	}
	r.fs.Release(r.none, &fuse.ReleaseIn{Fh: fh})
	r.fs.Release(r.none, &fuse.ReleaseIn{Fh: fh})
	if _, s := r.read(fh, 0, 1); s != fuse.EBADF {
		t.Errorf("read of a closed handle: %v", s)
	}
	var out fuse.OpenOut
	n := r.walk("/f").NodeId
	for flags, want := range map[uint32]fuse.Status{syscall.O_RDWR: fuse.EROFS, syscall.O_WRONLY: fuse.EROFS, syscall.O_TRUNC: fuse.EROFS,
		syscall.O_EXCL: fuse.Status(syscall.EEXIST), syscall.O_APPEND: fuse.OK} {
		if s := r.fs.Open(r.none, &fuse.OpenIn{InHeader: r.header(n), Flags: flags}, &out); s != want {
			t.Errorf("open with %#x: %v, want %v", flags, s, want)
		}
	}
	if out.OpenFlags&fuse.FOPEN_DIRECT_IO != 0 {
		t.Error("direct I/O for an ordinary file")
	}
}

func TestReadTruncatedCacheFile(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) {
		r.add("/f", catalog.Entry{Mode: 0o100644, Size: 10, Hash: r.objs.add([]byte("0123"))})
	})
	fh, _ := r.open("/f")
	if _, s := r.read(fh, 0, 10); s != fuse.EIO {
		t.Errorf("read beyond what is cached: %v, want EIO", s)
	}
}

func TestReadChunked(t *testing.T) {
	var want []byte
	r := newRig(t, func(r *rig, c *Config) { want = r.chunked("/big", 100, 1, 5000, 64, 64) })
	fh, s := r.open("/big")
	if s != fuse.OK {
		t.Fatal(s)
	}
	if r.objs.opens != 0 {
		t.Errorf("open fetched %d chunks", r.objs.opens)
	}
	if got, _ := r.read(fh, 99, 3); got != string(want[99:102]) || r.objs.opens != 3 {
		t.Errorf("a read over three chunks gives %q after %d fetches", got, r.objs.opens)
	}
	for off := 0; off <= len(want)+1; off += 7 {
		for _, n := range []int{1, 65, 4096, 10000} {
			got, s := r.read(fh, off, n)
			if lo, hi := min(off, len(want)), min(off+n, len(want)); s != fuse.OK || got != string(want[lo:hi]) {
				t.Fatalf("read %d at %d: %v", n, off, s)
			}
		}
	}
	fh2, _ := r.open("/big")
	if len(r.fs.lists.by) != 1 {
		t.Errorf("%d chunk lists for one file", len(r.fs.lists.by))
	}
	r.fs.Release(r.none, &fuse.ReleaseIn{Fh: fh})
	r.fs.Release(r.none, &fuse.ReleaseIn{Fh: fh2})
	if len(r.fs.lists.by) != 0 {
		t.Error("the chunk list outlives the handles")
	}
}

func TestChunkDescriptorsAreBounded(t *testing.T) {
	sizes := make([]int, 200)
	for i := range sizes {
		sizes[i] = 10 + i
	}
	r := newRig(t, func(r *rig, c *Config) { r.chunked("/big", sizes...) })
	fh, _ := r.open("/big")
	off := 0
	for _, n := range sizes {
		if _, s := r.read(fh, off, n); s != fuse.OK {
			t.Fatal(s)
		}
		off += n
	}
	if got := r.objs.live.Load(); got != maxChunks {
		t.Errorf("%d descriptors are open, want %d", got, maxChunks)
	}
	r.fs.OnUnmount()
	if got := r.objs.live.Load(); got != 0 {
		t.Errorf("%d descriptors are open after the unmount", got)
	}
}

func TestMaxOpen(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) { r.file("/f", "x"); c.MaxOpen = 2 })
	a, _ := r.open("/f")
	r.open("/f")
	if _, s := r.open("/f"); s != fuse.Status(syscall.EMFILE) {
		t.Errorf("third open: %v", s)
	}
	r.fs.Release(r.none, &fuse.ReleaseIn{Fh: a})
	if _, s := r.open("/f"); s != fuse.OK {
		t.Errorf("open after a close: %v", s)
	}
}

// TestMaxOpenAtOnce: opens that wait for servers count too.
func TestMaxOpenAtOnce(t *testing.T) {
	const limit, callers = 5, 50
	var inside, most atomic.Int64
	enough := make(chan struct{})
	r := newRig(t, func(r *rig, c *Config) { r.file("/f", "x"); c.MaxOpen, c.Log = limit, nil })
	r.objs.wait = func(context.Context) error {
		if n := inside.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-enough
		return nil
	}
	node := r.walk("/f").NodeId
	got := make(chan fuse.Status, callers)
	for range callers {
		go func() {
			var out fuse.OpenOut
			got <- r.fs.Open(r.none, &fuse.OpenIn{InHeader: r.header(node)}, &out)
		}()
	}
	for range callers - limit {
		if s := <-got; s != fuse.Status(syscall.EMFILE) {
			t.Errorf("got %v", s)
		}
	}
	close(enough)
	for range limit {
		if s := <-got; s != fuse.OK {
			t.Errorf("got %v", s)
		}
	}
	if most.Load() > limit {
		t.Errorf("%d files were being opened at once, want %d at most", most.Load(), limit)
	}
}

// TestMaxOpenGivesBack: what fails to open takes no place.
func TestMaxOpenGivesBack(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) { r.file("/f", "x"); r.dir("/d"); c.MaxOpen = 1 })
	r.objs.wait = func(context.Context) error { return errors.New("no server") }
	for range 3 {
		if _, s := r.open("/f"); s != fuse.EIO {
			t.Errorf("got %v", s)
		}
	}
	r.objs.wait = nil
	var out fuse.OpenOut
	for range 3 {
		if s := r.fs.OpenDir(r.none, &fuse.OpenIn{InHeader: r.header(r.walk("/d").NodeId)}, &out); s != fuse.OK {
			t.Errorf("got %v", s)
		}
		if _, s := r.open("/f"); s != fuse.Status(syscall.EMFILE) {
			t.Errorf("got %v", s)
		}
		r.fs.ReleaseDir(&fuse.ReleaseIn{Fh: out.Fh})
		r.fs.ReleaseDir(&fuse.ReleaseIn{Fh: out.Fh}) // no place for a handle that is gone
	}
	if _, s := r.open("/f"); s != fuse.OK {
		t.Errorf("got %v", s)
	}
}
