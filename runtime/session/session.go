// Package session is what a bundle does when it is started as cvmfsexec: read the
// command line, have the tree unpacked, find a mode, run the command, and end as the
// command ended.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/ui"
	"github.com/cvmfsbundle/cvmfsbundle/internal/version"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/cmdline"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/config"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/inherit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/initproc"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/mode"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/plan"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawsig"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/repoconf"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/unpack"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/usernsfuse"
)

const program = "cvmfsexec"

const usage = `usage: cvmfsexec [-vN] [--option ...] [repo ...] -- [command [argument ...]]

Mounts CVMFS repositories at /cvmfs and runs the command ($SHELL by default) there, as
an ordinary user. The configuration repository is mounted by itself.

  -v, --version         print the version
  -N                    no nested mount requests from inside
  -m IMAGE              mount an ext2/3/4 image at /e2fs (not in this version)
  --mode N              mode 1 to 4 instead of the first that works (this version: 3)
  --set KEY=VALUE       set a configuration parameter, stronger than every file
  --status-file FILE    write how the run ended, as JSON
  --showconfig REPO     print the configuration of REPO and where each value comes from
  --where               print where the bundle is or would be unpacked
  --debug               say more on standard error

Environment: CVMFSEXEC_DIR names the directory to unpack in, CVMFSEXEC_LOCAL a file
like default.local.

Example: ./cvmfsexec cms.cern.ch -- ls /cvmfs/cms.cern.ch
`

// Main runs the stub. args is the whole argument vector. It returns the exit status of
// the process, or does not return when the command was ended by a signal: then the
// process ends by the same one.
func Main(args []string) int {
	if len(args) == 2 && args[0] == plan.InitName {
		return initproc.Main(args[1])
	}
	runtime.LockOSThread() // children die with the main thread, see package rawfork
	s := session{inherit: inherit.Read(), stdout: os.Stdout, stderr: os.Stderr}
	// what we make has to be ours to use, whatever the command is not to have
	s.umask = unix.Umask(0o077)
	unix.Umask(s.umask &^ 0o700)
	defaults(s.inherit.Ignored)
	res, err := s.run(args[1:])
	code := s.report(res, err)
	if err == nil && res.Signal != 0 {
		rawsig.Die(unix.Signal(res.Signal))
		return 128 + int(res.Signal)
	}
	return code
}

// defaults gives signals the effect that they have on any program, until the command
// runs: the Go runtime would print its stacks at SIGQUIT and end by SIGTERM and SIGPIPE
// also where the caller ignores them. ignored has bit n-1 set for signal n.
func defaults(ignored uint64) {
	for _, sig := range []unix.Signal{unix.SIGQUIT, unix.SIGTERM, unix.SIGPIPE} {
		if ignored&(1<<(sig-1)) != 0 {
			signal.Ignore(sig)
		} else if sig == unix.SIGQUIT {
			rawsig.Default(sig)
		}
	}
}

type session struct {
	inherit inherit.State
	umask   int // the caller's
	stdout  io.Writer
	stderr  io.Writer
	line    *cmdline.Line
	lock    *os.File // of the run's cache, held to the end
}

func (s *session) warn(text string) { ui.Warn(s.stderr, program, "%s", text) }

// run does everything up to the end of the command.
func (s *session) run(args []string) (mode.Result, error) {
	ctx := context.Background()
	line, err := cmdline.Parse(args)
	if err != nil {
		e := exit.Errorf(exit.Unclassified, "%w", err) // 1, as the original
		return mode.Result{}, e.Hint("cvmfsexec --help shows the usage")
	}
	s.line = line
	switch {
	case line.Help:
		io.WriteString(s.stdout, usage)
		return mode.Result{}, nil
	case line.Version:
		fmt.Fprintln(s.stdout, version.Version)
		return mode.Result{}, nil
	case line.Image != "":
		return mode.Result{}, exit.Errorf(exit.Unclassified, "option -m: scratch images come in a later version").
			Hint("run without -m; the cache lies in .cvmfsexec/var/lib/cvmfs or where --set CVMFS_CACHE_BASE=DIR says")
	case line.Mode != int(mode.Auto) && line.Mode != int(mode.UsernsFuse):
		return mode.Result{}, exit.Errorf(exit.NoMode, "mode %s comes in a later version", mode.Mode(line.Mode)).
			Hint("run without --mode, or with --mode 3")
	}
	for _, repo := range line.Repos {
		if !config.ValidFQRN(repo) {
			return mode.Result{}, exit.Errorf(exit.Unclassified, "%q is not a repository name: it needs a domain, as in cms.cern.ch", repo)
		}
	}
	return s.withBundle(ctx)
}

// withBundle opens the file that we are and unpacks it.
func (s *session) withBundle(ctx context.Context) (mode.Result, error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return mode.Result{}, exit.Errorf(exit.Corrupt, "open the bundle: %w", err)
	}
	defer self.Close()
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return mode.Result{}, exit.Errorf(exit.Corrupt, "find the bundle: %w", err)
	}
	opts := unpack.Options{File: self, Path: strings.TrimSuffix(path, " (deleted)"), Warn: s.warn, AllowNoExec: true}
	if s.line.Where {
		return mode.Result{}, s.where(opts)
	}
	place, err := unpack.Ensure(ctx, opts)
	if err != nil {
		return mode.Result{}, err
	}
	defer place.Close()
	if s.line.Debug {
		ui.Note(s.stderr, program, "tree %s, state %s", place.Tree, place.State)
	}
	job, err := s.job(ctx, place)
	if err != nil {
		return mode.Result{}, err
	}
	if s.line.ShowConfig != "" {
		return mode.Result{}, s.showConfig(ctx, job, s.line.ShowConfig)
	}
	if place.TidyDue {
		defer unpack.Tidy(ctx, place)
	}
	res, err := usernsfuse.Driver{}.Run(ctx, job)
	var refusal *mode.Refusal
	if errors.As(err, &refusal) {
		err = mode.NoModeError(refusal)
	}
	return res, err
}

func (s *session) where(opts unpack.Options) error {
	verdicts, err := unpack.Where(opts)
	if err != nil {
		return err
	}
	for _, v := range verdicts {
		state := "no "
		if v.Usable {
			state = "yes"
		}
		fmt.Fprintf(s.stdout, "%s %s: %s\n", state, ui.Line(v.Path), ui.Line(v.Why))
	}
	return nil
}

// job puts together what is to be run.
func (s *session) job(ctx context.Context, place *unpack.Place) (*mode.Job, error) {
	j := &mode.Job{
		Dist: place.Dist, NoExec: place.NoExec, State: place.State, Local: os.Getenv("CVMFSEXEC_LOCAL"), Set: s.line.Set,
		Command: s.line.Command, Env: os.Environ(), Inherit: s.inherit, Umask: s.umask, Warn: s.warn,
	}
	if bad := strings.IndexFunc(j.Dist+j.State, cannotCarry); bad >= 0 {
		return nil, exit.Errorf(exit.Config, "the tree lies in %q: a client cannot be given a path with a # or a control character", place.Base).
			Hint("move the file, or set CVMFSEXEC_DIR to another directory")
	}
	if place.State != place.Base {
		j.CacheBase, j.RunDir = place.Cache(), place.Run()
	}
	if err := s.ownCache(j, place); err != nil {
		return nil, err
	}
	if j.Local != "" {
		abs, err := filepath.Abs(j.Local)
		if err != nil {
			return nil, exit.Wrap(exit.Config, err)
		}
		j.Local = abs
	}
	var err error
	if j.ConfigRepo, err = config.ConfigRepository(ctx, repoconf.Options(repoconf.Source{Dist: j.Dist, State: j.State, Local: j.Local, Set: j.Set, Env: j.Env}, "")); err != nil {
		return nil, exit.Wrap(exit.Config, err)
	}
	if j.ConfigRepo != "" {
		j.Repos = append(j.Repos, j.ConfigRepo)
	}
	for _, r := range s.line.Repos {
		if r != j.ConfigRepo {
			j.Repos = append(j.Repos, r)
		}
	}
	if j.Dir, err = os.Getwd(); err != nil {
		s.warn(fmt.Sprintf("the working directory cannot be named (%v): the command starts in /", err))
		j.Dir = "/"
	}
	if len(j.Command) == 0 {
		shell := os.Getenv("SHELL")
		if shell == "" {
			shell = "/bin/sh"
		}
		j.Command = []string{shell}
	}
	return j, nil
}

// cannotCarry reports whether a client's configuration cannot have r in a value.
func cannotCarry(r rune) bool { return r == '#' || r < ' ' && r != '\t' || r == 0x7f }

// report prints an error, writes the status file and returns the exit status.
func (s *session) report(res mode.Result, err error) int {
	code := exit.Code(res.Status)
	if err != nil {
		code = ui.Error(s.stderr, program, err)
	}
	if s.line != nil && s.line.StatusFile != "" {
		if werr := writeStatus(s.line.StatusFile, res, code, err); werr != nil {
			s.warn(fmt.Sprintf("status file: %v", werr))
		}
	}
	return int(code)
}
