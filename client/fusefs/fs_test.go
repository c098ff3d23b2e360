package fusefs

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
)

func TestLookupAndAttributes(t *testing.T) {
	env := func(n string) (string, bool) { return "value", n == "VAR" }
	r := newRig(t, func(r *rig, c *Config) {
		c.Env = env
		r.dir("/d")
		r.add("/d/f", catalog.Entry{Mode: 0o100640, Size: 1025, Mtime: 1e9, MtimeNsec: 7, UID: 5, GID: 6, Nlink: 3})
		r.add("/l", catalog.Entry{Mode: 0o120777, Size: 6, Symlink: "$(VAR)/x"})
		r.add("/dev", catalog.Entry{Mode: 0o020600, Rdev: 0x501})
	})
	f := r.walk("/d/f")
	want := fuse.Attr{Ino: 258, Size: 1025, Blocks: 3, Mtime: 1e9, Atime: 1e9, Ctime: 1e9, Mtimensec: 7, Atimensec: 7, Ctimensec: 7,
		Mode: 0o100640, Nlink: 3, Owner: fuse.Owner{Uid: 5, Gid: 6}, Blksize: 4096}
	if d := cmp.Diff(want, f.Attr); d != "" {
		t.Error(d)
	}
	if f.AttrTimeout() != time.Minute || f.EntryTimeout() != time.Minute {
		t.Errorf("timeouts are %v and %v", f.AttrTimeout(), f.EntryTimeout())
	}
	var a fuse.AttrOut
	if s := r.fs.GetAttr(r.none, &fuse.GetAttrIn{InHeader: r.header(f.NodeId)}, &a); s != fuse.OK || a.Attr != want {
		t.Errorf("getattr: %v %+v", s, a.Attr)
	}
	if got := r.walk("/l").Size; got != 7 {
		t.Errorf("the link has size %d, its target 7 characters", got)
	}
	if got := r.walk("/dev").Rdev; got != 0x501 {
		t.Errorf("rdev = %#x", got)
	}
	h := r.header(r.walk("/l").NodeId)
	if b, s := r.fs.Readlink(r.none, &h); s != fuse.OK || string(b) != "value/x" {
		t.Errorf("readlink = %q, %v", b, s)
	}
	h = r.header(f.NodeId)
	if _, s := r.fs.Readlink(r.none, &h); s != fuse.EINVAL {
		t.Errorf("readlink of a file: %v", s)
	}
}

func TestOwners(t *testing.T) {
	type mapper map[uint32]uint32
	e := &catalog.Entry{UID: 5, GID: 6, Mode: 0o100600}
	dir := &catalog.Entry{Mode: 0o040700}
	tests := []struct {
		name string
		c    Config
		want fuse.Owner
	}{
		{"raw", Config{}, fuse.Owner{Uid: 5, Gid: 6}},
		{"claimed", Config{Owner: &Owner{1, 2}, UIDs: idMap(mapper{5: 9})}, fuse.Owner{Uid: 1, Gid: 2}},
		{"mapped", Config{UIDs: idMap(mapper{5: 9}), GIDs: idMap(mapper{5: 9})}, fuse.Owner{Uid: 9, Gid: 6}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (&FS{c: tt.c}).owner(e); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
	fs := &FS{c: Config{WorldReadable: true}}
	if fs.mode(e) != 0o100644 || fs.mode(dir) != 0o040755 {
		t.Errorf("modes %o, %o", fs.mode(e), fs.mode(dir))
	}
}

type idMap map[uint32]uint32

func (m idMap) Map(id uint32) uint32 {
	if to, ok := m[id]; ok {
		return to
	}
	return id
}

func TestLookupAnswers(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) {
		r.tree.fail["/broken"] = &catalog.LoadError{Err: errors.New("server away")}
		r.tree.fail["/full"] = fmt.Errorf("cache: %w", syscall.ENOSPC)
		r.tree.fail["/slow"] = &catalog.LoadError{Err: context.Canceled}
	})
	tests := []struct {
		name string
		want fuse.Status
	}{
		{"broken", fuse.EIO}, {"full", fuse.Status(syscall.ENOSPC)}, {"slow", fuse.EINTR}, {strings.Repeat("x", 256), fuse.Status(syscall.ENAMETOOLONG)},
	}
	for _, tt := range tests {
		var out fuse.EntryOut
		h := r.header(1)
		if s := r.fs.Lookup(r.none, &h, tt.name, &out); s != tt.want {
			t.Errorf("lookup of %.10s: %v, want %v", tt.name, s, tt.want)
		}
	}
	if len(r.logs) != 2 || !strings.Contains(r.logs[0], "EIO on /broken (lookup)") || !strings.Contains(r.logs[0], "server away") {
		t.Errorf("log is %q", r.logs)
	}
	var out fuse.EntryOut
	h := r.header(1)
	if s := r.fs.Lookup(r.none, &h, "absent", &out); s != fuse.OK || out.NodeId != 0 || out.EntryTimeout() != time.Minute {
		t.Errorf("absent name: %v, %+v", s, out)
	}
	h = r.header(77)
	if s := r.fs.Lookup(r.none, &h, "x", &out); s != fuse.ENOENT {
		t.Errorf("unknown directory: %v", s)
	}
}

func TestHardLinksShareANode(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) {
		r.dir("/a")
		r.add("/a/one", catalog.Entry{Mode: 0o100644, LinkGroup: 4, Inode: 900, Nlink: 2})
		r.add("/two", catalog.Entry{Mode: 0o100644, LinkGroup: 4, Inode: 900, Nlink: 2})
	})
	a, b := r.walk("/a/one"), r.walk("/two")
	if a.NodeId != b.NodeId || a.Ino != b.Ino || a.Nlink != 2 {
		t.Errorf("%+v\n%+v", a, b)
	}
}

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

func (r *rig) list(path string, size int, plus bool) []fuse.DirEntry {
	r.t.Helper()
	n := r.walk(path)
	var out fuse.OpenOut
	if s := r.fs.OpenDir(r.none, &fuse.OpenIn{InHeader: r.header(n.NodeId)}, &out); s != fuse.OK {
		r.t.Fatal(s)
	}
	defer r.fs.ReleaseDir(&fuse.ReleaseIn{Fh: out.Fh})
	var all []fuse.DirEntry
	for off := uint64(0); ; {
		l := fuse.NewDirEntryList(make([]byte, size), off)
		in := &fuse.ReadIn{InHeader: r.header(n.NodeId), Fh: out.Fh, Offset: off}
		var got []fuse.DirEntry
		var err error
		if plus {
			if s := r.fs.ReadDirPlus(r.none, in, l); s != fuse.OK {
				r.t.Fatal(s)
			}
			got, _, err = fuse.ParseDirLookupEntries(l.Bytes())
		} else {
			if s := r.fs.ReadDir(r.none, in, l); s != fuse.OK {
				r.t.Fatal(s)
			}
			got, err = fuse.ParseDirEntries(l.Bytes())
		}
		if err != nil {
			r.t.Fatal(err)
		}
		if len(got) == 0 {
			return all
		}
		all = append(all, got...)
		off = got[len(got)-1].Off
	}
}

func TestReadDir(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) {
		r.dir("/d")
		for i := range 300 {
			r.file(fmt.Sprintf("/d/file%03d", i), "x")
		}
		r.add("/d/"+strings.Repeat("n", 300), catalog.Entry{Mode: 0o100644})
	})
	known := r.fs.Known()
	for _, size := range []int{400, 4096, 1 << 16} {
		for _, plus := range []bool{false, true} {
			got := r.list("/d", size, plus)
			if len(got) != 302 || got[0].Name != "." || got[1].Name != ".." || got[0].Ino != 257 || got[1].Ino != 256 {
				t.Fatalf("size %d plus %v: %d entries, %v", size, plus, len(got), got[:2])
			}
			for i, e := range got[2:] {
				if want := fmt.Sprintf("file%03d", i); e.Name != want || e.Ino != uint64(258+i) || e.Mode != syscall.S_IFREG || e.Off != uint64(i+3) {
					t.Fatalf("entry %d is %+v", i, e)
				}
			}
		}
	}
	if got := r.fs.Known() - known; got != 301 {
		t.Errorf("READDIRPLUS made %d nodes, want 301", got)
	}
	n := r.walk("/d/file007")
	if n.Ino != 258+7 {
		t.Errorf("lookup gives inode %d, readdir %d", n.Ino, 258+7)
	}
	var out fuse.OpenOut
	if s := r.fs.OpenDir(r.none, &fuse.OpenIn{InHeader: r.header(n.NodeId)}, &out); s != fuse.ENOTDIR {
		t.Errorf("opendir of a file: %v", s)
	}
}

func TestReadDirFailure(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) {
		r.dir("/plain")
		r.add("/nested", catalog.Entry{Mode: 0o040755, Flags: catalog.FlagDir | catalog.FlagNestedMountpoint})
		r.tree.fail["/plain/"] = errors.New("damaged")
		r.tree.fail["/nested/"] = errors.New("server away")
	})
	var out fuse.OpenOut
	if s := r.fs.OpenDir(r.none, &fuse.OpenIn{InHeader: r.header(r.walk("/nested").NodeId)}, &out); s != fuse.EIO {
		t.Errorf("opendir of a mountpoint whose catalog is away: %v", s)
	}
	if s := r.fs.OpenDir(r.none, &fuse.OpenIn{InHeader: r.header(r.walk("/plain").NodeId)}, &out); s != fuse.OK {
		t.Fatal(s)
	}
	if s := r.fs.ReadDir(r.none, &fuse.ReadIn{Fh: out.Fh}, fuse.NewDirEntryList(make([]byte, 100), 0)); s != fuse.EIO {
		t.Errorf("readdir: %v", s)
	}
	delete(r.tree.fail, "/plain/")
	if s := r.fs.ReadDir(r.none, &fuse.ReadIn{Fh: out.Fh}, fuse.NewDirEntryList(make([]byte, 100), 0)); s != fuse.OK {
		t.Errorf("readdir after the trouble: %v", s)
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

func (r *rig) xattr(path, name string) (string, fuse.Status) {
	h := r.header(r.walk(path).NodeId)
	n, s := r.fs.GetXAttr(r.none, &h, name, nil)
	if s != fuse.ERANGE && s != fuse.OK {
		return "", s
	}
	buf := make([]byte, n)
	n, s = r.fs.GetXAttr(r.none, &h, name, buf)
	return string(buf[:n]), s
}

func TestXattrs(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) {
		c.Facts = map[string]func() string{"fqrn": func() string { return "a.b" }}
		r.file("/f", "hello")
		e := r.tree.entries["/f"]
		e.HasXattrs = true
		r.tree.entries["/f"] = e
		r.tree.xattrs["/f"] = []catalog.Xattr{{Name: "user.x", Value: []byte("1\x002")}, {Name: "security.y"}, {Name: "user.hash", Value: []byte("lie")}}
		r.chunked("/big", 10, 20)
		r.add("/l", catalog.Entry{Mode: 0o120777, Symlink: "$(X)"})
	})
	tests := []struct {
		path, name, want string
		status           fuse.Status
	}{
		{"/f", "user.x", "1\x002", fuse.OK},
		{"/f", "security.y", "", fuse.OK},
		{"/f", "user.hash", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", fuse.OK},
		{"/f", "user.fqrn", "a.b", fuse.OK},
		{"", "user.fqrn", "a.b", fuse.OK},
		{"", "user.fqrn~0", "a.b", fuse.OK},
		{"", "user.fqrn~?", "num_pages, 1", fuse.OK},
		{"", "user.fqrn~1", "", fuse.ENODATA},
		{"", "user.fqrn~x", "", fuse.ENODATA},
		{"", "user.hash", "", fuse.ENODATA},
		{"/f", "user.none", "", fuse.ENODATA},
		{"/f", "user.chunks", "1", fuse.OK},
		{"/big", "user.chunks", "2", fuse.OK},
		{"/big", "user.hash", "", fuse.ENODATA},
		{"/f", "user.chunk_list", "hash,offset,size\naaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d,0,5", fuse.OK},
		{"/f", "user.compression", "zlib", fuse.OK},
		{"/l", "xfsroot.rawlink", "$(X)", fuse.OK},
		{"/f", "xfsroot.rawlink", "", fuse.ENODATA},
	}
	for _, tt := range tests {
		if got, s := r.xattr(tt.path, tt.name); got != tt.want || s != tt.status {
			t.Errorf("%s of %q = %q, %v; want %q, %v", tt.name, tt.path, got, s, tt.want, tt.status)
		}
	}
	listed := func(path string) []string {
		h := r.header(r.walk(path).NodeId)
		buf := make([]byte, 4096)
		n, s := r.fs.ListXAttr(r.none, &h, buf)
		if s != fuse.OK {
			t.Fatal(s)
		}
		return strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
	}
	if d := cmp.Diff([]string{"user.x", "security.y", "user.hash"}, listed("/f")); d != "" {
		t.Error(d)
	}
	root := listed("")
	if len(root) < 10 || root[0] != "user.catalog_counters" || strings.Contains(strings.Join(root, " "), "user.chunks") {
		t.Errorf("the top directory lists %q", root)
	}
	h := r.header(r.walk("/f").NodeId)
	if _, s := r.fs.GetXAttr(r.none, &h, "user.x", make([]byte, 2)); s != fuse.ERANGE {
		t.Errorf("small buffer: %v", s)
	}
}

func TestPageOf(t *testing.T) {
	text := strings.Repeat("a", pageSize) + "tail"
	for _, tt := range []struct {
		page string
		want string
		ok   bool
	}{{"0", text[:pageSize], true}, {"1", "tail", true}, {"2", "", false}, {"?", "num_pages, 2", true}, {"-1", "", false}, {"", "", false}} {
		if got, ok := pageOf(text, tt.page, false); got != tt.want || ok != tt.ok {
			t.Errorf("page %q: %d characters, %v", tt.page, len(got), ok)
		}
	}
	if got, ok := pageOf("", "0", true); !ok || !strings.HasPrefix(got, "# Access page at idx: 0.") {
		t.Errorf("human page = %q, %v", got, ok)
	}
}

func TestReadOnly(t *testing.T) {
	r := newRig(t, nil)
	var h fuse.InHeader
	for name, s := range map[string]fuse.Status{
		"mkdir":   r.fs.Mkdir(r.none, &fuse.MkdirIn{}, "x", nil),
		"unlink":  r.fs.Unlink(r.none, &h, "x"),
		"create":  r.fs.Create(r.none, &fuse.CreateIn{}, "x", nil),
		"setattr": r.fs.SetAttr(r.none, &fuse.SetAttrIn{}, nil),
		"rename":  r.fs.Rename(r.none, &fuse.RenameIn{}, "x", "y"),
	} {
		if s != fuse.EROFS {
			t.Errorf("%s: %v", name, s)
		}
	}
}

func TestStatFs(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) {
		c.Usage = func() Usage { return Usage{4000 << 20, 100 << 20} }
		c.Entries = func(context.Context) (int64, int64) { return 481, 480 }
	})
	var h fuse.InHeader
	var out fuse.StatfsOut
	if s := r.fs.StatFs(r.none, &h, &out); s != fuse.OK || out.Blocks != 8192000 || out.Bfree != 7987200 || out.Files != 481 || out.Ffree != 1 || out.Bsize != 512 {
		t.Errorf("%v %+v", s, out)
	}
}

// TestInterrupt starts a child that is killed while its request waits, and one that
// lives on.
func TestInterrupt(t *testing.T) {
	r := newRig(t, func(r *rig, c *Config) { r.file("/f", "x") })
	r.objs.wait = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	n := r.walk("/f").NodeId
	stopped := exec.Command("sleep", "100")
	if err := stopped.Start(); err != nil {
		t.Fatal(err)
	}
	defer stopped.Wait()
	defer stopped.Process.Kill()
	cancel := make(chan struct{})
	close(cancel)
	in := &fuse.OpenIn{InHeader: fuse.InHeader{NodeId: n, Caller: fuse.Caller{Pid: 1 << 30}}}
	var out fuse.OpenOut
	if s := r.fs.Open(cancel, in, &out); s != fuse.EINTR {
		t.Errorf("open by a process that is gone: %v", s)
	}
	c, end := begin(cancel, &fuse.InHeader{Caller: fuse.Caller{Pid: uint32(stopped.Process.Pid)}})
	select {
	case <-c.Done():
		t.Error("a request was cancelled at once though its caller lives")
	case <-time.After(2 * deathPoll):
	}
	end()
	c, end = begin(make(chan struct{}), &fuse.InHeader{})
	if c.Err() != nil || c.done != nil {
		t.Error("a request without interrupt is not free")
	}
	end()
	if c.Done() != nil {
		t.Error("Done started a goroutine after the end")
	}
}

func TestLimiter(t *testing.T) {
	var l limiter
	now := time.Unix(1000, 0)
	passed := 0
	for range 100 {
		if ok, _ := l.allow(now); ok {
			passed++
		}
	}
	if _, lost := l.allow(now.Add(limitTime)); passed != limitLines || lost != 100-limitLines {
		t.Errorf("%d lines passed, %d lost", passed, lost)
	}
}
