package unpack

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
)

// How long things stay that nobody seems to use.
const (
	keepTree = 14 * 24 * time.Hour // a tree whose stamp no start has renewed
	keepTemp = 24 * time.Hour      // an unfinished tree: no unpack takes that long
	keepDead = time.Minute         // the same, when its maker is known to be dead
)

// Tidy removes from the base of p what belongs to the caller and is out of use:
// trees not started for 14 days and the remains of unpacks that were killed. It
// takes its time and changes nothing for the running start: call it when
// [Place.TidyDue] is set, while the command runs or after it. Times are compared
// with the stamp of p's own tree, which was set now, by the clock of the file
// system. A tree that another machine started less than 14 days ago has a younger
// stamp and stays.
func Tidy(ctx context.Context, p *Place) error {
	root, err := os.OpenRoot(p.Base)
	if err != nil {
		return err
	}
	defer root.Close()
	var own unix.Stat_t
	if err := unix.Fstat(int(p.Root.Fd()), &own); err != nil {
		return err
	}
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	t := tidier{root: root, now: time.Unix(own.Mtim.Unix()), uid: uint32(os.Geteuid())}
	for _, name := range names {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if name != p.ID.String() {
			err = errors.Join(err, t.consider(name))
		}
	}
	return err
}

type tidier struct {
	root *os.Root
	now  time.Time
	uid  uint32
}

// consider removes name if it is ours to remove and out of use.
func (t tidier) consider(name string) error {
	info, err := t.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid != t.uid {
		return nil
	}
	age := t.now.Sub(info.ModTime())
	_, notID := payload.ParseID(name)
	switch {
	case notID == nil && info.IsDir():
		if age > keepTree {
			return t.removeTree(name)
		}
	case strings.HasPrefix(name, newPrefix) || strings.HasPrefix(name, oldPrefix) || strings.HasPrefix(name, linkPrefix):
		if age > keepTemp || age > keepDead && info.IsDir() && t.dead(name) {
			return t.root.RemoveAll(name)
		}
	}
	return nil
}

// dead reports whether the process that made the unfinished tree is gone: on file
// systems of one machine it would hold a lock.
func (t tidier) dead(name string) bool {
	f, err := t.root.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	var fs unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &fs) != nil || !local(fs.Type) {
		return false
	}
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

// removeTree takes a tree away under another name first, so that no start finds
// half of it, and puts it back if somebody has started it at this moment.
func (t tidier) removeTree(name string) error {
	aside := tempName(oldPrefix)
	if err := t.root.Rename(name, aside); err != nil {
		return err
	}
	if info, err := t.root.Lstat(aside); err == nil && t.now.Sub(info.ModTime()) <= keepTree {
		return t.root.Rename(aside, name)
	}
	return t.root.RemoveAll(aside)
}
