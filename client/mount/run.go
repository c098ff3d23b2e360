package mount

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/client/daemon"
	"github.com/cvmfsbundle/cvmfsbundle/client/options"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/ui"
	"github.com/cvmfsbundle/cvmfsbundle/internal/version"
)

// CompatVersion is the version of upstream's client whose behaviour this one has.
// Tools compare it.
const CompatVersion = "2.12.0"

// configDir has the configuration when no file is named.
const configDir = "/etc/cvmfs"

const usage = `CernVM-FS: mounts a repository, read-only (built-in client of cvmfsbundle)

usage: cvmfs2 [options] REPOSITORY MOUNTPOINT

  MOUNTPOINT is a directory, or /dev/fd/N: descriptor N is a /dev/fuse that the
  caller has mounted.

  -o config=FILE[:FILE...]    configuration files, instead of those in /etc/cvmfs
  -o simple_options_parsing   the files are KEY=VALUE lines, no shell
  -o allow_other              other users may use the mount
  -o uid=N,gid=N              become this user and group
  -o debug                    write more to the log (CVMFS_USYSLOG)
  -o OPTION                   other options of mount.fuse(8)
  -f                          stay in the foreground
  -s                          one request at a time
  -d                          print every FUSE request
  -k, -o parse                print the configuration and end
  -h, --help                  this text
  -V, --version               the version

example: cvmfs2 -o config=small.conf small.example.org /mnt/small
`

// Run is the command cvmfs2 with the arguments args, of which the first is the
// program's name. It returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) exit.Cvmfs2 {
	child := daemon.Inside()
	if len(args) == 0 {
		args = []string{"cvmfs2"}
	}
	cmd, err := options.ParseArgs(args[1:])
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "%s\n\n%s", ui.Line(classify(err).Error()), usage)
		return exit.Cvmfs2Options
	case cmd.Help:
		io.WriteString(stdout, usage)
		return exit.Cvmfs2OK
	case cmd.Version:
		fmt.Fprintf(stdout, "CernVM-FS version %s (cvmfsbundle %s)\n", CompatVersion, version.Version)
		return exit.Cvmfs2OK
	case cmd.ParseOnly:
		return parseOnly(ctx, cmd, stdout, stderr)
	case !cmd.Foreground && child == nil:
		return background(cmd, args, stderr)
	}
	s := &session{cmd: cmd, child: child, stdout: stdout, stderr: stderr}
	return s.run(ctx)
}

// parseOnly prints the parameters.
func parseOnly(ctx context.Context, cmd *options.Command, stdout, stderr io.Writer) exit.Cvmfs2 {
	p, err := loadParameters(ctx, cmd)
	if err == nil {
		fmt.Fprintln(stdout, "# CernVM-FS parameters:")
		err = p.Dump(stdout)
	}
	if err != nil {
		f := classify(err)
		fmt.Fprintln(stderr, ui.Line(f.Error()))
		return f.code
	}
	return exit.Cvmfs2OK
}

// background runs the command again in a process of its own and waits until that
// has mounted.
func background(cmd *options.Command, args []string, stderr io.Writer) exit.Cvmfs2 {
	var keep []int
	if fd := cmd.FD(); fd >= 0 {
		keep = append(keep, fd)
	}
	code, err := daemon.Start(args, keep)
	if err != nil {
		fmt.Fprintln(stderr, ui.Line(classify(err).Error()))
		return exit.Cvmfs2Unknown
	}
	return exit.Cvmfs2(code)
}

// run starts and serves; it turns the outcome into message and code.
func (s *session) run(ctx context.Context) exit.Cvmfs2 {
	setComm("cvmfs2")
	unix.Umask(0o007)
	signal.Ignore(unix.SIGPIPE) // a caller may close our output before we are ready
	ctx, stop := signal.NotifyContext(ctx, endSignals()...)
	defer stop()
	defer s.close()
	err := s.start(ctx)
	if err == nil {
		err = s.serve(ctx)
	}
	if err == nil {
		return exit.Cvmfs2OK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = context.Canceled
	}
	f := classify(err)
	s.report(f)
	return f.code
}

// endSignals are the signals that end the client, but for those which the caller
// wants ignored (nohup).
func endSignals() []os.Signal {
	var out []os.Signal
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		if !signal.Ignored(sig) {
			out = append(out, sig)
		}
	}
	return out
}

// report writes a failure to standard error and to the log, which it opens when
// the start had not come so far.
func (s *session) report(f *failure) {
	line := ui.Line(f.Error())
	fmt.Fprintln(s.stderr, line)
	if s.opts != nil && !s.logOpen {
		s.openLog() // its own failure would hide the first one
	}
	s.log.Printf("%s", line)
}
