package cache

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// staleAfter is how long nobody must have written to an unfinished object before
// it counts as left behind.
const staleAfter = 10 * time.Minute

// Txn is an object that is being written. It ends with Commit or Abort. Not for
// use by several goroutines.
type Txn struct {
	c    *Cache
	f    *os.File
	name string
	size int64
	sum  hash.Hash // nil without digest
}

// Create begins a new object. With digest, its content can be verified later, see
// [Cache.GetVerified].
func (c *Cache) Create(digest bool) (*Txn, error) {
	return c.create("fetch", digest)
}

func (c *Cache) create(prefix string, digest bool) (*Txn, error) {
	t := &Txn{c: c, name: txnDir + "/" + prefix + rand.Text()}
	if digest {
		t.sum = sha256.New()
	}
	var err error
	if t.f, err = c.open(t.name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL); err != nil {
		return nil, err
	}
	// The lock says that somebody is still at work. Where there are no locks the
	// age of the file has to do.
	unix.Flock(int(t.f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return t, nil
}

// Write appends to the content.
func (t *Txn) Write(p []byte) (int, error) {
	n, err := t.f.Write(p)
	t.size += int64(n)
	if t.sum != nil {
		t.sum.Write(p[:n])
	}
	return n, err
}

// Commit makes the object visible under its hash and returns its content for
// reading, which the caller closes. Only verified content may be committed. After
// an error nothing is left.
func (t *Txn) Commit(h object.Hash) (*os.File, int64, error) {
	f, err := t.commit(h)
	if err != nil {
		t.Abort()
		return nil, 0, fmt.Errorf("commit to cache: %w", err)
	}
	t.c.added.Add(t.size)
	t.f.Close()
	return f, t.size, nil
}

func (t *Txn) commit(h object.Hash) (*os.File, error) {
	if t.sum != nil {
		text := hex.EncodeToString(t.sum.Sum(nil)) + "\n"
		if err := t.c.replace(sumsDir+"/"+h.String(), text); err != nil {
			return nil, err
		}
	}
	f, err := t.c.open(t.name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	to := name(h)
	err = t.c.rename(t.name, to)
	if errors.Is(err, fs.ErrNotExist) {
		if err = t.c.mkdir(to[:2]); err == nil {
			err = t.c.rename(t.name, to)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Abort removes what was written. It may be called after any failure, also twice.
func (t *Txn) Abort() {
	if t.f.Close() == nil {
		t.c.unlink(t.name)
	}
}

// replace writes a small file at once.
func (c *Cache) replace(name, text string) error {
	t, err := c.create("file", false)
	if err != nil {
		return err
	}
	if _, err = t.Write([]byte(text)); err == nil {
		err = c.rename(t.name, name)
	}
	if err != nil {
		t.Abort()
		return err
	}
	return t.f.Close()
}

// removeStale removes unfinished objects whose writers are gone. Failure to do so
// is no failure of the cache.
func (c *Cache) removeStale() {
	dir, err := c.open(txnDir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return
	}
	for _, e := range entries {
		if fi, err := e.Info(); err != nil || time.Since(fi.ModTime()) < staleAfter {
			continue
		}
		f, err := c.open(filepath.Join(txnDir, e.Name()), unix.O_RDONLY)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			c.unlink(filepath.Join(txnDir, e.Name()))
		}
		f.Close()
	}
}
