package unpack

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
)

// touchAfter is how old the stamp of a tree must be before a start renews it, and
// how long other starts leave tidying to that one.
const touchAfter = 24 * time.Hour

// base is an open unpack directory.
type base struct {
	path string
	*dir
	owners owners
	fs     unix.Statfs_t
}

func (b *base) noexec() bool { return b.fs.Flags&unix.ST_NOEXEC != 0 }

// ours reports whether the base is written to: only the caller's own is.
func (b *base) ours() bool {
	return b.st.Uid == b.owners.self && b.st.Mode&0o200 != 0 && b.fs.Flags&unix.ST_RDONLY == 0
}

func (b *base) mustBeOurs() error {
	if b.st.Uid != b.owners.self {
		return fmt.Errorf("%w: it belongs to uid %d", errUntrusted, b.st.Uid)
	}
	return nil
}

// writable returns why the base cannot be written to, or nil.
func (b *base) writable() error {
	switch {
	case b.ours():
		return nil
	case b.fs.Flags&unix.ST_RDONLY != 0:
		return unix.EROFS
	}
	return fmt.Errorf("not ours (uid %d): %w", b.st.Uid, unix.EACCES)
}

// openTree opens the ID directory; unix.ENOENT when there is none.
func (b *base) openTree(id payload.ID) (*dir, error) {
	d, err := openDir(b.fd(), id.String(), b.owners)
	if err != nil && err != unix.ENOENT {
		err = fmt.Errorf("tree %s: %w", id, err)
	}
	return d, err
}

// stateDirs are the directories of the state, each after the one it lies in, with
// their modes. cache and run are private: what they hold is trusted.
var stateDirs = [...]struct {
	name string
	mode uint32
	leaf bool
}{
	{"var", 0o755, false}, {"var/lib", 0o755, false}, {"var/lib/cvmfs", 0o700, true},
	{"var/run", 0o755, false}, {"var/run/cvmfs", 0o700, true},
	{"cvmfs", 0o755, true}, {"log", 0o755, true},
}

// makeState makes the directories of the state that are missing. One that is a
// link stays one: the base is ours, so we have put it there, to have the cache
// elsewhere for example.
func (b *base) makeState() error {
	missing := false
	for _, d := range stateDirs {
		var st unix.Stat_t
		missing = missing || d.leaf && unix.Fstatat(b.fd(), d.name, &st, 0) != nil
	}
	if !missing {
		return nil
	}
	for _, d := range stateDirs {
		if err := unix.Mkdirat(b.fd(), d.name, d.mode); err != nil && err != unix.EEXIST {
			return fmt.Errorf("make %q: %w", d.name, err)
		}
	}
	return nil
}

// show makes BASE/dist point to the tree id. It is for people; that it cannot be
// done (an old dist directory stands there) changes nothing.
func (b *base) show(id payload.ID) {
	want := filepath.Join(id.String(), "dist")
	buf := make([]byte, len(want)+1)
	if n, err := unix.Readlinkat(b.fd(), "dist", buf); err == nil && string(buf[:n]) == want {
		return
	}
	tmp := tempName(".link-")
	if unix.Symlinkat(want, b.fd(), tmp) != nil {
		return
	}
	if unix.Renameat(b.fd(), tmp, b.fd(), "dist") != nil {
		_ = unix.Unlinkat(b.fd(), tmp, 0)
	}
}

// touch renews the stamp of the tree id, which is the time of the directory
// itself, and reports whether it was old. Only its owner can.
func (b *base) touch(id payload.ID, tree *dir) bool {
	stamp := time.Unix(tree.st.Mtim.Unix())
	if time.Since(stamp) < touchAfter || tree.st.Uid != b.owners.self {
		return false
	}
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	return unix.UtimesNanoAt(b.fd(), id.String(), now, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// root opens the base for everything that may be done below it and not outside.
func (b *base) root() (*os.Root, error) {
	r, err := os.OpenRoot(b.path)
	if err != nil {
		return nil, err
	}
	if err := same(r, b.dir); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// same makes sure that r, which was opened by its path, is the directory that has
// been checked.
func same(r *os.Root, d *dir) error {
	info, err := r.Stat(".")
	if err != nil {
		return err
	}
	want, err := d.file.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(info, want) {
		return errors.New("it was replaced by another directory just now")
	}
	return nil
}

// tempName returns a name that nobody can know in advance.
func tempName(prefix string) string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}
