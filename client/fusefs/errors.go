package fusefs

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
)

// toErrno says what a program is told of an error. Of the system's own numbers
// only those pass that say what a user can do about it.
func toErrno(err error) syscall.Errno {
	var e syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.Is(err, catalog.ErrNotFound):
		return syscall.ENOENT
	case errors.Is(err, catalog.ErrNotDir):
		return syscall.ENOTDIR
	case errors.Is(err, context.Canceled):
		return syscall.EINTR
	case errors.As(err, &e):
		switch e {
		case syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM:
			return e
		}
	}
	return syscall.EIO
}

// status answers a request about path that failed in the operation op, and logs
// the failure unless it is a plain answer.
func (fs *FS) status(op, path string, err error) fuse.Status {
	e := toErrno(err)
	switch e {
	case 0, syscall.ENOENT, syscall.ENOTDIR, syscall.EINTR:
		return fuse.Status(e)
	case syscall.EIO:
		fs.stats.ioErrors.Add(1)
		fs.stats.lastIOError.Store(time.Now().Unix())
	}
	if fs.c.Log == nil {
		return fuse.Status(e)
	}
	ok, lost := fs.log.allow(time.Now())
	if lost > 0 {
		fs.c.Log("%d more failures like these", lost)
	}
	if ok {
		if path == "" {
			path = "/"
		}
		fs.c.Log("%s on %s (%s): %v", errnoName(e), path, op, err)
	}
	return fuse.Status(e)
}

func errnoName(e syscall.Errno) string {
	switch e {
	case syscall.EIO:
		return "EIO"
	case syscall.ENOSPC:
		return "ENOSPC"
	case syscall.EMFILE:
		return "EMFILE"
	}
	return e.Error()
}

// limiter lets so many lines pass in so much time: a log that is flushed for each
// line must not become the disk's only work when a server is away.
type limiter struct {
	mu    sync.Mutex
	since time.Time
	lines int
}

const (
	limitLines = 20
	limitTime  = 10 * time.Second
)

// allow reports whether a line may be written, and how many were lost before.
func (l *limiter) allow(now time.Time) (ok bool, lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= limitTime {
		lost = max(l.lines-limitLines, 0)
		l.since, l.lines = now, 0
	}
	l.lines++
	return l.lines <= limitLines, lost
}
