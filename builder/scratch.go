package builder

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

const (
	// scratchName is how the private directories of builds begin.
	scratchName = ".cvmfsbundle-"
	// staleAfter is how old the directory of a build must be at least to count as
	// left behind, where locks say nothing of it.
	staleAfter = time.Hour
)

// inside runs f with a private directory beside output, and removes that. What
// builds that were killed have left there is removed first.
func inside(output string, f func(tmp string) error) (err error) {
	dir := filepath.Dir(output)
	removeLeftovers(dir)
	tmp, err := os.MkdirTemp(dir, scratchName+"*")
	if err != nil {
		return exit.Wrap(exit.Output, err)
	}
	lock := lockDir(tmp)
	defer func() {
		if rerr := os.RemoveAll(tmp); rerr != nil && err == nil {
			err = exit.Wrap(exit.Output, rerr)
		}
		lock.Close()
	}()
	return f(tmp)
}

// lockDir opens and locks a directory of ours until it is closed; nil when somebody
// else has it or it cannot be locked.
func lockDir(path string) *os.File {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), path)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || int(st.Uid) != os.Geteuid() || unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil {
		f.Close()
		return nil
	}
	return f
}

// removeLeftovers removes the directories of builds that were killed: those of the
// caller that are old and that nobody holds. To fail in this is no failure of a build.
func removeLeftovers(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil || !fi.IsDir() || !strings.HasPrefix(e.Name(), scratchName) || time.Since(fi.ModTime()) < staleAfter {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if lock := lockDir(path); lock != nil {
			os.RemoveAll(path)
			lock.Close()
		}
	}
}
