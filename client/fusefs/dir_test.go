package fusefs

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
)

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
