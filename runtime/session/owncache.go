package session

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/mode"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/unpack"
)

// maxRuns is how many runs of upstream's client may share one state directory.
const maxRuns = 256

// ownCache gives the run a cache of its own where the client needs one. Upstream's
// client allows one instance per cache and waits for ever for its lock, so the second
// run at the same time gets the second cache, and so on; a free one is used again. The
// built-in client shares. A cache that default.local or --set names is left to them.
func (s *session) ownCache(j *mode.Job, place *unpack.Place) error {
	client, err := clientOf(j.Dist)
	if err != nil {
		return exit.Wrap(exit.Corrupt, err)
	}
	if client == "builtin" {
		return nil
	}
	cache, run := place.Cache(), place.Run()
	for n := 1; n <= maxRuns; n++ {
		c, r := cache, run
		if n > 1 {
			c, r = fmt.Sprintf("%s-%d", cache, n), fmt.Sprintf("%s-%d", run, n)
		}
		for _, dir := range []string{c, r} {
			if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
				return exit.Wrap(exit.Cache, err)
			}
		}
		f, err := lock(filepath.Join(r, "run.lock"))
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return exit.Wrap(exit.Cache, err)
		}
		s.lock = f
		if n > 1 {
			j.CacheBase, j.RunDir = c, r
		}
		return nil
	}
	return exit.Errorf(exit.Cache, "%d runs of this bundle are active in %s", maxRuns, place.State).
		Hint("start it from another directory, or set CVMFSEXEC_DIR")
}

// lock takes a lock that is free again when the process ends. On a file system without
// locks it takes none.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err != nil && !errors.Is(err, unix.ENOLCK) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EOPNOTSUPP) {
		f.Close()
		return nil, err
	}
	return f, nil
}

// clientOf reads the client line of a dist tree's description: rpm or builtin. A tree
// without the line, of the original makedist, has upstream's client.
func clientOf(dist string) (string, error) {
	f, err := os.Open(filepath.Join(dist, ".cvmfsexecdist"))
	if errors.Is(err, os.ErrNotExist) {
		return "rpm", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if v, ok := strings.CutPrefix(in.Text(), "client:"); ok {
			return strings.TrimSpace(v), nil
		}
	}
	return "rpm", nil
}
