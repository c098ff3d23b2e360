package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
)

func open(t testing.TB, dir string) *Cache {
	t.Helper()
	c, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func put(t testing.TB, c *Cache, content string, digest bool) object.Hash {
	t.Helper()
	h := object.SHAKE128.Sum([]byte(content))
	x, err := c.Create(digest)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(x, content)
	f, size, err := x.Commit(h)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || string(got) != content || size != int64(len(content)) {
		t.Errorf("committed %d bytes, read %q, %v", size, got, err)
	}
	return h
}

// files lists the files of a cache.
func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(p, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "base", "shared")
	c := open(t, dir)
	h := put(t, c, "content", false)
	path := filepath.Join(dir, h.String()[:2], h.String()[2:])
	if fi, err := os.Stat(path); err != nil || fi.Mode() != 0o600 {
		t.Errorf("%s: %v, %v", path, fi, err)
	}
	for _, d := range []string{dir, filepath.Dir(path), dir + "/txn"} {
		if fi, err := os.Stat(d); err != nil || fi.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", d, fi, err)
		}
	}
	for _, size := range []int64{-1, 7} {
		f, n, err := open(t, dir).Get(h, size)
		if err != nil || n != 7 {
			t.Fatalf("Get with size %d: %d, %v", size, n, err)
		}
		if _, err := f.Write([]byte("x")); err == nil {
			t.Error("a cached object can be written")
		}
		f.Close()
	}
	if _, _, err := c.Get(object.SHA1.Sum(nil), -1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent object: %v", err)
	}
	if _, _, err := c.Get(h, 8); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("wrong size: %v", err)
	}
	if _, _, err := c.Get(h, 7); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the object of the wrong size is still there: %v", err)
	}
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir() + "/c"
	c := open(t, dir)
	x, err := c.Create(true)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(x, "half")
	x.Abort()
	x.Abort()
	if _, _, err := x.Commit(object.SHA1.Sum(nil)); err == nil {
		t.Error("an aborted object was committed")
	}
	for _, name := range files(t, dir) {
		if !strings.HasPrefix(name, "sums/") {
			t.Errorf("left: %s", name)
		}
	}
}

func TestVerified(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"flipped": func(p string) error { return os.WriteFile(p, []byte("cOntent"), 0o600) },
		"zeroed":  func(p string) error { return os.WriteFile(p, make([]byte, 7), 0o600) },
		"cut":     func(p string) error { return os.Truncate(p, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/c"
			c := open(t, dir)
			h := put(t, c, "content", true)
			f, _, err := c.GetVerified(h)
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			if err := harm(filepath.Join(dir, h.String()[:2], h.String()[2:])); err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.GetVerified(h); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("damaged: %v", err)
			}
			if got := files(t, dir); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
			put(t, c, "content", true)
			if f, _, err = c.GetVerified(h); err != nil {
				t.Errorf("after writing it again: %v", err)
			} else {
				f.Close()
			}
		})
	}
	c := open(t, t.TempDir()+"/c")
	h := put(t, c, "content", false)
	f, _, err := c.GetVerified(h)
	if err != nil {
		t.Fatalf("without a digest: %v", err)
	}
	f.Close()
}

// TestForeignObjects: what others may have written is not believed, whatever let them
// (a cache whose directories were open once).
func TestForeignObjects(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"group writable": func(p string) error { return os.Chmod(p, 0o660) },
		"world writable": func(p string) error { return os.Chmod(p, 0o602) },
		"of another": func(p string) error {
			if os.Getuid() != 0 {
				return os.Chmod(p, 0o622)
			}
			return os.Chown(p, 12345, 12345)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/c"
			c := open(t, dir)
			h := put(t, c, "content", false)
			if err := harm(filepath.Join(dir, h.String()[:2], h.String()[2:])); err != nil {
				t.Fatal(err)
			}
			if _, _, err := c.Get(h, 7); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v", err)
			}
			if got := files(t, dir); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
		})
	}
}

// TestVerifiedWithoutDescriptors: an object that cannot be verified for want of
// descriptors, or because its digest cannot be read, is not damaged.
func TestVerifiedWithoutDescriptors(t *testing.T) {
	dir := t.TempDir() + "/c"
	c := open(t, dir)
	h := put(t, c, "content", true)
	sum := filepath.Join(dir, "sums", h.String())
	if err := errors.Join(os.Rename(sum, sum+"x"), os.Mkdir(sum, 0o700)); err != nil { // reading gives EISDIR
		t.Fatal(err)
	}
	if _, _, err := c.GetVerified(h); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := errors.Join(os.Remove(sum), os.Rename(sum+"x", sum)); err != nil {
		t.Fatal(err)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) })
	for spare := range uint64(4) {
		f, err := os.Open(dir) // the lowest free descriptor
		if err != nil {
			t.Fatal(err)
		}
		limit := syscall.Rlimit{Cur: uint64(f.Fd()) + spare, Max: old.Max}
		f.Close()
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		got, _, err := c.GetVerified(h)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
		if err == nil {
			got.Close()
		} else if !errors.Is(err, syscall.EMFILE) {
			t.Errorf("with %d descriptors: %v", spare, err)
		}
	}
	f, _, err := c.GetVerified(h)
	if err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	f.Close()
}

func TestOpenRefuses(t *testing.T) {
	top := t.TempDir()
	for name, make := range map[string]func(path string) error{
		"group writable": func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o770)) },
		"world writable": func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o1777)) },
		"symbolic link":  func(p string) error { return os.Symlink(top, p) },
		"file":           func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"of another": func(p string) error {
			if os.Getuid() != 0 {
				return os.Symlink(top, p)
			}
			return errors.Join(os.Mkdir(p, 0o700), os.Chown(p, 12345, 12345))
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := filepath.Join(top, strings.ReplaceAll(name, " ", "-"))
			if err := make(p); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(Options{Dir: p}); !errors.Is(err, ErrUnusable) {
				t.Errorf("got %v, want %v", err, ErrUnusable)
			}
		})
	}
}

func TestStaleIsRemoved(t *testing.T) {
	dir := t.TempDir() + "/c"
	c := open(t, dir)
	young, err := c.Create(false)
	if err != nil {
		t.Fatal(err)
	}
	defer young.Abort()
	busy, err := c.Create(false)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Abort()
	if err := os.WriteFile(dir+"/txn/fetchOLD", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{dir + "/txn/fetchOLD", filepath.Join(dir, busy.name)} {
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	if got := files(t, dir); len(got) != 2 {
		t.Errorf("left: %v, want the two in progress", got)
	}
}

func TestSimultaneousWriters(t *testing.T) {
	dir := t.TempDir() + "/c"
	content := bytes.Repeat([]byte("x"), 100000)
	h := object.SHA1.Sum(content)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			c, err := Open(Options{Dir: dir})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			x, err := c.Create(true)
			if err != nil {
				t.Error(err)
				return
			}
			x.Write(content)
			f, _, err := x.Commit(h)
			if err != nil {
				t.Error(err)
				return
			}
			f.Close()
			g, n, err := c.GetVerified(h)
			if err != nil || n != int64(len(content)) {
				t.Errorf("%d, %v", n, err)
				return
			}
			g.Close()
		})
	}
	wg.Wait()
}

func TestBreadcrumb(t *testing.T) {
	dir := t.TempDir() + "/c"
	c := open(t, dir)
	if _, err := c.Breadcrumb("a.b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	want := trust.Breadcrumb{Root: object.SHA1.Sum(nil), Published: time.Unix(1752580000, 0).UTC(), Revision: 7}
	if err := c.SetBreadcrumb("a.b", want); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Breadcrumb("a.b"); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	data, err := os.ReadFile(dir + "/cvmfschecksum.a.b")
	if want := fmt.Sprintf("%vT1752580000R7", want.Root); err != nil || string(data) != want {
		t.Errorf("file is %q, want %q", data, want)
	}
	if err := os.WriteFile(dir+"/cvmfschecksum.a.b", []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Breadcrumb("a.b"); !errors.Is(err, trust.ErrBreadcrumb) {
		t.Errorf("damaged: %v", err)
	}
	for _, b := range []trust.Breadcrumb{{}, {Root: want.Root}, {Published: want.Published}} {
		if err := c.SetBreadcrumb("a.b", b); !errors.Is(err, trust.ErrBreadcrumb) {
			t.Errorf("%v was written: %v", b, err)
		}
	}
	if err := c.SetBreadcrumb("../x", want); err == nil {
		t.Error("a name with a slash was taken")
	}
}
