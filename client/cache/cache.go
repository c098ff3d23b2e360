package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

var (
	// ErrUnusable is wrapped by every error of [Open].
	ErrUnusable = errors.New("cache directory problem")
	// ErrUnsafe: the directory is not ours alone.
	ErrUnsafe = errors.New("directory is not safe")
)

const (
	txnDir  = "txn"
	sumsDir = "sums"
)

// Options of [Open].
type Options struct {
	Dir        string
	QuotaBytes int64        // most bytes of objects, 0 or less for no limit; accounted, not enforced yet
	Log        *slog.Logger // nil: silent
}

// Cache is an open cache directory. Any number of goroutines and processes may use
// it at once.
type Cache struct {
	path  string
	dir   *os.File
	quota int64
	added atomic.Int64 // bytes of objects that this process has added
	log   *slog.Logger
}

// Open opens the cache directory, made if it does not exist, and removes what
// killed processes left unfinished in it. Errors match [ErrUnusable], and
// [ErrUnsafe] if the directory belongs to another user or can be written by one.
func Open(o Options) (*Cache, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := openDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	c := &Cache{path: o.Dir, dir: dir, quota: o.QuotaBytes, log: o.Log}
	for _, sub := range []string{txnDir, sumsDir} {
		if err := c.mkdir(sub); err != nil {
			dir.Close()
			return nil, fmt.Errorf("%w: %w", ErrUnusable, err)
		}
	}
	c.removeStale()
	return c, nil
}

// openDir opens a directory that must be ours and closed to others' writes.
func openDir(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	switch {
	case int(st.Uid) != os.Geteuid():
		err = fmt.Errorf("%w: %q belongs to uid %d", ErrUnsafe, path, st.Uid)
	case st.Mode&0o022 != 0:
		err = fmt.Errorf("%w: %q can be written by others (mode %04o)", ErrUnsafe, path, st.Mode&0o7777)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close closes the directory. Files that were opened stay open.
func (c *Cache) Close() error { return c.dir.Close() }

// Dir returns the path of the directory.
func (c *Cache) Dir() string { return c.path }

// Usage returns the bytes of objects that this process has added and the limit, 0
// for none.
func (c *Cache) Usage() (added, limit int64) { return c.added.Load(), max(c.quota, 0) }

// name returns an object's name below the directory.
func name(h object.Hash) string {
	text := h.String()
	return text[:2] + "/" + text[2:]
}

// open opens a file below the directory, close on exec, never through a symbolic
// link in the last place.
func (c *Cache) open(name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(c.dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: filepath.Join(c.path, name), Err: err}
	}
	return os.NewFile(uintptr(fd), filepath.Join(c.path, name)), nil
}

func (c *Cache) mkdir(name string) error {
	err := unix.Mkdirat(int(c.dir.Fd()), name, 0o700)
	if err != nil && err != unix.EEXIST {
		return &os.PathError{Op: "mkdir", Path: filepath.Join(c.path, name), Err: err}
	}
	return nil
}

func (c *Cache) unlink(name string) error {
	if err := unix.Unlinkat(int(c.dir.Fd()), name, 0); err != nil && err != unix.ENOENT {
		return &os.PathError{Op: "remove", Path: filepath.Join(c.path, name), Err: err}
	}
	return nil
}

func (c *Cache) rename(from, to string) error {
	fd := int(c.dir.Fd())
	if err := unix.Renameat(fd, from, fd, to); err != nil {
		return &os.LinkError{Op: "rename", Old: filepath.Join(c.path, from), New: to, Err: err}
	}
	return nil
}

// Get opens the content of an object for reading, which the caller closes. size is
// the bytes it must have, negative if that is not known; an object of another size,
// or one that others can write, is removed. Absent objects give an error that matches [fs.ErrNotExist].
func (c *Cache) Get(h object.Hash, size int64) (*os.File, int64, error) {
	f, err := c.open(name(h), unix.O_RDONLY)
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	switch {
	case err != nil:
	case !fi.Mode().IsRegular() || size >= 0 && fi.Size() != size:
		err = c.drop(h, f.Name(), "wrong size")
	case !isOurs(fi):
		err = c.drop(h, f.Name(), "others may have written it")
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, fi.Size(), nil
}

// isOurs reports whether nobody else could write a file.
func isOurs(fi os.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && fi.Mode().Perm()&0o022 == 0
}

// GetVerified is Get for objects that were created with a digest: one whose content
// does not fit it is removed. An object that the CVMFS client left has none and is
// taken as it is.
func (c *Cache) GetVerified(h object.Hash) (*os.File, int64, error) {
	f, size, err := c.Get(h, -1)
	if err != nil {
		return nil, 0, err
	}
	ok, err := c.fits(h, f, size)
	if err == nil && ok {
		return f, size, nil
	}
	f.Close()
	if err != nil {
		return nil, 0, err // nothing is known against the object
	}
	return nil, 0, c.drop(h, f.Name(), "damaged content")
}

// fits reports whether the content of an object has the digest that was recorded, if
// one was.
func (c *Cache) fits(h object.Hash, f *os.File, size int64) (bool, error) {
	want, err := c.readSum(h)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err == io.EOF, err == io.ErrUnexpectedEOF: // a crash took the digest
		return false, nil
	case err != nil:
		return false, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, size)); err != nil {
		return false, fmt.Errorf("verify cached object %v: %w", h, err)
	}
	return hex.EncodeToString(sum.Sum(nil)) == want, nil
}

// readSum returns the SHA-256 of an object's content, in hex.
func (c *Cache) readSum(h object.Hash) (string, error) {
	f, err := c.open(sumsDir+"/"+h.String(), unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var buf [2 * sha256.Size]byte
	_, err = io.ReadFull(f, buf[:])
	if err != nil {
		return "", err
	}
	return string(buf[:]), nil
}

// drop removes a damaged object and returns an error that says so and matches
// fs.ErrNotExist.
func (c *Cache) drop(h object.Hash, path, why string) error {
	c.log.Warn("removed from the cache", "hash", h.String(), "path", path, "reason", why)
	if err := c.Remove(h); err != nil {
		return err
	}
	return fmt.Errorf("object %v was removed from the cache (%s): %w", h, why, fs.ErrNotExist)
}

// Remove removes an object, which may be absent.
func (c *Cache) Remove(h object.Hash) error {
	err := c.unlink(name(h))
	return errors.Join(err, c.unlink(sumsDir+"/"+h.String()))
}
