package mount

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/client/daemon"
	"github.com/cvmfsbundle/cvmfsbundle/client/options"
	"github.com/cvmfsbundle/cvmfsbundle/client/usyslog"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// session is one run of the client.
type session struct {
	cmd            *options.Command
	child          *daemon.Child
	stdout, stderr io.Writer

	params  *options.Parameters
	opts    *options.Options
	log     *usyslog.Log
	logOpen bool
	uids    options.IDMap
	gids    options.IDMap
	dir     string // mount point, absolute; "" for a premounted one
	repo    *repository
	server  *server
}

// start does everything up to a mount that answers.
func (s *session) start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		s.configure, s.checkMountPoint, s.limits, s.credentials, s.startLog, s.openRepository, s.mount,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) close() {
	if s.repo != nil {
		s.repo.close()
	}
	s.log.Close()
}

// note writes one of upstream's lines about the progress of a start.
func (s *session) note(format string, args ...any) {
	fmt.Fprintf(s.stdout, "CernVM-FS: "+format, args...)
}

// configure reads all files, which may be deleted from then on.
func (s *session) configure(ctx context.Context) error {
	var err error
	if s.params, err = loadParameters(ctx, s.cmd); err != nil {
		return err
	}
	s.opts, err = options.FromParameters(s.params, s.cmd.Repository)
	s.log = usyslog.New(s.opts.LogPrefix)
	if err == nil {
		err = s.checkPaths()
	}
	if err != nil {
		return err
	}
	if s.uids, err = options.ReadIDMap(s.opts.UIDMap); err != nil {
		return err
	}
	s.gids, err = options.ReadIDMap(s.opts.GIDMap)
	return err
}

// checkPaths refuses files that lie in the repository itself. When the caller has
// mounted already, opening one would wait for our own answer for ever.
func (s *session) checkPaths() error {
	o := s.opts
	paths := append(strings.Split(o.PublicKey, ":"), o.KeysDir, o.CacheDir, o.Workspace, o.UIDMap, o.GIDMap, o.LogFile)
	for _, p := range append(paths, o.Blacklists...) {
		if p == "" || !o.Inside(p) {
			continue
		}
		if o.LogFile == p {
			o.LogFile = "" // the failure must not be written there
		}
		return failf(exit.Cvmfs2Options, "%s lies in the repository that is to be mounted", p)
	}
	return nil
}

// checkMountPoint makes sure that there is a directory to mount on.
func (s *session) checkMountPoint(context.Context) error {
	if fd := s.cmd.FD(); fd >= 0 {
		s.note("pre-mounted on file descriptor %d\n", fd)
		return nil
	}
	var err error
	if s.dir, err = filepath.Abs(s.cmd.MountPoint); err != nil {
		return failf(exit.Cvmfs2Permission, "Mount point %s: %w", s.cmd.MountPoint, err)
	}
	fi, err := os.Stat(s.dir)
	switch {
	case errors.Is(err, unix.ENOTCONN):
		return deadMount(s.dir)
	case errors.Is(err, unix.ENOENT), err == nil && !fi.IsDir():
		return failf(exit.Cvmfs2Permission, "Mount point %s does not exist", s.cmd.MountPoint)
	case err != nil:
		return failf(exit.Cvmfs2Permission, "Mount point %s: %w", s.cmd.MountPoint, err)
	}
	return alreadyMounted(s.dir, s.cmd.Repository)
}

// limits raises the number of descriptors as far as it goes.
func (s *session) limits(context.Context) error {
	want := s.opts.Files
	if want == 0 {
		return nil
	}
	got, err := raiseFiles(want)
	switch {
	case err != nil && s.cmd.SystemMount:
		return failf(exit.Cvmfs2Permission, "Failed to set maximum number of open files, insufficient permissions")
	case err != nil:
		fmt.Fprintf(s.stdout, "Failed to set requested number of open files, using maximum number %d\n", got)
	}
	return nil
}

// credentials takes over the mount point and becomes another user, as asked.
func (s *session) credentials(context.Context) error {
	uid, gid := s.cmd.UID, s.cmd.GID
	if (s.cmd.Suid || s.opts.Suid) && os.Geteuid() != 0 {
		return failf(exit.Cvmfs2Permission, "must be root to mount with suid option")
	}
	if s.cmd.GrabMountPoint && s.dir != "" {
		err := os.Chown(s.dir, uid, gid)
		if err == nil {
			err = os.Chmod(s.dir, 0o755)
		}
		if err != nil {
			return failf(exit.Cvmfs2Permission, "Failed to grab mountpoint %s: %w", s.dir, err)
		}
	}
	if uid < 0 && gid < 0 {
		return nil
	}
	if uid < 0 {
		uid = os.Geteuid()
	}
	if gid < 0 {
		gid = os.Getegid()
	}
	s.note("running with credentials %d:%d\n", uid, gid)
	if err := become(uid, gid); err != nil {
		return failf(exit.Cvmfs2Permission, "Failed to drop credentials: %w", err)
	}
	return nil
}

func (s *session) startLog(context.Context) error {
	if err := s.openLog(); err != nil {
		return failf(exit.Cvmfs2Permission, "%w", err)
	}
	if s.cmd.SingleThreaded {
		s.note("running in single threaded mode\n")
	}
	if s.cmd.Debug {
		s.note("running in debug mode\n")
	}
	return nil
}

// openLog opens the log file, if there is one. Its directory is made when only
// that is missing.
func (s *session) openLog() error {
	name := s.opts.LogFile
	if name == "" || s.logOpen {
		return nil
	}
	if err := os.Mkdir(filepath.Dir(name), 0o755); err != nil && !errors.Is(err, os.ErrExist) && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err := s.log.Open(name)
	s.logOpen = err == nil
	return err
}

// logger is the structured side of the log for the other packages.
func (s *session) logger() *slog.Logger {
	if s.cmd.Debug {
		return s.log.Logger(slog.LevelDebug)
	}
	return s.log.Logger(slog.LevelWarn)
}

// configTime bounds the evaluation of the configuration.
const configTime = 20 * time.Second
