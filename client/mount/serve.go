package mount

import (
	"context"
	"errors"
	"log"
	"os"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/client/fusefs"
	"github.com/cvmfsbundle/cvmfsbundle/client/fusemount"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

const (
	// maxRead is the size of the largest request; the kernel reads ahead by no more.
	maxRead = 128 << 10
	// background is how many reads ahead the kernel may have under way.
	backgroundRequests = 64
	// lockTime is how long a start waits for another one on the same workspace to
	// make its mount.
	lockTime = 15 * time.Second
	// detachTime is how long requests may take to end after the unmount.
	detachTime = 2 * time.Second
)

// server is a mounted file system.
type server struct {
	mount *fusemount.Mount
	fuse  *fuse.Server
	done  chan struct{} // closed when the kernel has let go
}

// mount mounts and answers the kernel's INIT.
func (s *session) mount(ctx context.Context) error {
	fs, err := fusefs.New(ctx, s.fsConfig())
	if err != nil {
		return rootFailure(err)
	}
	m, err := s.takeMount()
	if err != nil {
		return err
	}
	opts := &fuse.MountOptions{
		Name:                 fusemount.Source,
		MaxBackground:        backgroundRequests,
		MaxWrite:             maxRead,
		SingleThreaded:       s.cmd.SingleThreaded,
		EnableSymlinkCaching: s.opts.CacheSymlinks,
		ExtraCapabilities:    fuse.CAP_READDIRPLUS_AUTO,
		DisabledCapabilities: fuse.CAP_AUTO_INVAL_DATA, // content never changes
		Debug:                s.cmd.FuseDebug,
		Logger:               log.New(s.log, "fuse: ", 0),
	}
	if s.cmd.FuseDebug {
		opts.Logger = log.New(s.stderr, "", log.Lmicroseconds)
	}
	srv, err := fuse.NewServer(fs, m.Path(), opts)
	if err != nil {
		return errors.Join(failf(exit.Cvmfs2Mount, "failed to create Fuse session: %w", err), m.Unmount())
	}
	s.server = &server{mount: m, fuse: srv, done: make(chan struct{})}
	go func() {
		srv.Serve()
		close(s.server.done)
	}()
	return nil
}

// takeMount gets the /dev/fuse descriptor. Whether the mount point is in use is
// tested under a lock, so that two starts cannot both find it free.
func (s *session) takeMount() (*fusemount.Mount, error) {
	if s.dir == "" {
		m, err := fusemount.Premounted(s.cmd.FD())
		if err != nil {
			return nil, failf(exit.Cvmfs2Mount, "failed to create Fuse session: %w", err)
		}
		return m, nil
	}
	unlock, err := lockWorkspace("lock." + s.cmd.Repository)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := alreadyMounted(s.dir, s.cmd.Repository); err != nil {
		return nil, err
	}
	m, err := fusemount.Open(fusemount.Request{Dir: s.dir, Options: s.mountOptions(), Suid: s.cmd.Suid || s.opts.Suid})
	if err != nil {
		return nil, failf(exit.Cvmfs2Mount, "failed to mount file system: %w", err)
	}
	return m, nil
}

func (s *session) mountOptions() []string {
	out := append([]string{}, s.cmd.Fuse...)
	if s.opts.CheckPermissions {
		out = append(out, "default_permissions")
	}
	return append(out, "max_read="+itoa(maxRead))
}

// lockWorkspace locks a file of the working directory until unlock is called. The
// file stays: removing it would let two processes lock two files of one name.
func lockWorkspace(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, failf(exit.Cvmfs2Workspace, "could not acquire workspace lock: %w", err)
	}
	deadline := time.Now().Add(lockTime)
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil, errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
			return func() { f.Close() }, nil // where there are no locks the test has to do without
		case errors.Is(err, unix.EWOULDBLOCK) && time.Now().Before(deadline):
			time.Sleep(20 * time.Millisecond)
		case !errors.Is(err, unix.EINTR):
			f.Close()
			return nil, failf(exit.Cvmfs2Workspace, "could not acquire workspace lock: %w", err)
		}
	}
}

// alreadyMounted tells a mount point in use by the repository's name on it, and a
// dead one by the kernel's answer. (stat(2) may still answer from a cache.)
func alreadyMounted(dir, repo string) error {
	buf := make([]byte, 256)
	n, err := unix.Getxattr(dir, "user.fqrn", buf)
	switch {
	case errors.Is(err, unix.ENOTCONN):
		return deadMount(dir)
	case err != nil || n == 0:
		return nil
	}
	if name := string(buf[:n]); name != repo {
		return failf(exit.Cvmfs2DoubleMount, "CernVM-FS: %s is already the mount point of %s", dir, name)
	}
	return failf(exit.Cvmfs2OK, "CernVM-FS: repository %s already mounted on %s", repo, dir)
}

func deadMount(dir string) error {
	return failf(exit.Cvmfs2Permission, "Mount point %s is a mount whose client has died: unmount it first", dir)
}

// serve lets the caller go and serves until the mount is gone or a signal comes.
func (s *session) serve(ctx context.Context) error {
	where := s.dir
	if where == "" {
		where = s.cmd.MountPoint
	} else {
		s.note("mounted cvmfs on %s\n", where)
	}
	s.log.Printf("CernVM-FS: linking %s to repository %s", where, s.cmd.Repository)
	if err := s.child.Ready(); err != nil {
		s.end()
		return err
	}
	select {
	case <-s.server.done:
	case <-ctx.Done():
		s.end()
	}
	s.log.Printf("CernVM-FS: unmounted %s (%s)", where, s.cmd.Repository)
	return nil
}

// end unmounts and gives requests under way a moment to end. The mount is there:
// the kernel has not let go.
func (s *session) end() {
	if s.dir == "" { // the place is the caller's; the mount dies with our descriptor
		return
	}
	if err := s.server.mount.Unmount(); err != nil {
		s.log.Printf("failed to unmount: %v", err)
	}
	select {
	case <-s.server.done:
	case <-time.After(detachTime):
	}
}
