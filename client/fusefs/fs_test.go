package fusefs

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
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
