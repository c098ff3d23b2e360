package unpack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
)

// Prefixes of names in the base that are not yet, or no longer, in use.
const (
	newPrefix  = ".new-"
	oldPrefix  = ".old-"
	linkPrefix = ".link-"
)

// errLost ends an unpack whose result somebody else has by now.
var errLost = errors.New("another start was first")

// unpack puts the tree into b. fresh is false when another start was first.
func (s *search) unpack(ctx context.Context, b *base) (tree *dir, fresh bool, err error) {
	if err := b.writable(); err != nil {
		return nil, false, err
	}
	if s.bundle == nil {
		if s.bundle, err = payload.Open(s.File, s.size); err != nil {
			return nil, false, err
		}
	}
	release := b.takeTurn(ctx, s.trailer.ID)
	defer release()
	if tree, err := b.openTree(s.trailer.ID); err != unix.ENOENT {
		return tree, false, err
	}
	root, err := b.root()
	if err != nil {
		return nil, false, err
	}
	defer root.Close()
	if err := b.makeState(); err != nil {
		return nil, false, err
	}
	err = s.build(ctx, b, root)
	tree, terr := b.openTree(s.trailer.ID)
	if terr == nil { // also after an error: somebody else's, or a rename that a file server did twice
		return tree, err == nil, nil
	}
	if err == nil || errors.Is(err, errLost) {
		err = terr
	}
	return nil, false, err
}

// build makes the tree under a new name and renames it. The new name is gone
// afterwards.
func (s *search) build(ctx context.Context, b *base, root *os.Root) (err error) {
	tmp, id := tempName(newPrefix), s.trailer.ID.String()
	if err := root.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		if rerr := root.RemoveAll(tmp); rerr != nil {
			err = errors.Join(err, rerr)
		}
	}()
	tree, err := root.OpenRoot(tmp)
	if err != nil {
		return err
	}
	defer tree.Close()
	hold, err := lockDir(tree)
	if err != nil {
		return err
	}
	defer hold.Close()
	ctx, stop := b.untilOther(ctx, id)
	defer stop()
	if err := s.bundle.Unpack(ctx, tree); err != nil {
		return err
	}
	if err := addLinks(tree); err != nil {
		return err
	}
	if err := root.Chmod(tmp, fs.FileMode(b.st.Mode)&0o755|0o700); err != nil { // as open as the base is
		return err
	}
	if err := syncAround(hold); err != nil {
		return err
	}
	return root.Rename(tmp, id)
}

// syncLimit bounds how long a first start waits for the disk.
const syncLimit = 2 * time.Second

// syncAround writes the file system that f lies on to disk, so that after a crash
// of the machine the tree is not complete by its name only. One syncfs for all
// files costs a fraction of their fsyncs, but includes everybody else's data: when
// that takes longer than syncLimit the start goes on, and the kernel with it.
func syncAround(f *os.File) error {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		done <- unix.Syncfs(fd)
		_ = unix.Close(fd)
	}()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("write to disk: %w", err)
		}
	case <-time.After(syncLimit):
	}
	return nil
}

// links are the ways from a tree to the state of its base.
var links = [...]struct{ dir, name, target string }{
	{"dist/var/lib", "cvmfs", "../../../../var/lib/cvmfs"},
	{"dist/var/run", "cvmfs", "../../../../var/run/cvmfs"},
	{"dist", "cvmfs", "../../cvmfs"},
	{".", "log", "../log"},
}

// addLinks makes the links. A bundle whose tree stands in the way was not made by
// our builder.
func addLinks(tree *os.Root) error {
	for _, l := range links {
		if err := tree.MkdirAll(l.dir, 0o755); err != nil {
			return err
		}
		at := l.dir + "/" + l.name
		for _, d := range []string{"dist/var", l.dir} {
			if info, err := tree.Lstat(d); err == nil && !info.IsDir() {
				return exit.Errorf(exit.Corrupt, "%w: %q in it is not a directory", payload.ErrCorrupt, d)
			}
		}
		if info, err := tree.Lstat(at); err == nil && info.IsDir() {
			_ = tree.Remove(at) // packages have these directories, empty
		}
		err := tree.Symlink(l.target, at)
		if errors.Is(err, fs.ErrExist) {
			return exit.Errorf(exit.Corrupt, "%w: it contains %q, where the state goes", payload.ErrCorrupt, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// untilOther returns a context that ends, with errLost as its cause, when the
// tree id is there.
func (b *base) untilOther(ctx context.Context, id string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			var st unix.Stat_t
			if unix.Fstatat(b.fd(), id, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
				cancel(errLost)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}
