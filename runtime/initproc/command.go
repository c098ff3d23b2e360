package initproc

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/clientproc"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/maps"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/plan"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawfork"
)

// start starts the command: with the caller's uid and gid in a user namespace of its
// own, where it has no capability over our mounts, and with the caller's signal
// dispositions, mask, limits, descriptors, environment and working directory.
func (s *state) start() error {
	argv := plan.Strings(s.p.Command)
	paths := candidates(argv[0], pathVar(plan.Strings(s.p.Env)))
	pid, fails, err := s.exec(paths, argv)
	if err != nil {
		return err
	}
	if i := scriptAt(fails, paths); i >= 0 {
		// what execvp(3) does with a file that has no format: a shell runs it,
		// whatever comes later in PATH
		unix.Wait4(pid, nil, 0, nil)
		argv = append([]string{"/bin/sh", paths[i]}, argv[1:]...)
		paths = []string{"/bin/sh"}
		if pid, fails, err = s.exec(paths, argv); err != nil {
			return err
		}
	}
	for _, f := range fails {
		if f.Name == chdir {
			s.warn("the working directory %q cannot be entered (%v): the command starts in /", string(s.p.Dir), f.Err)
		}
	}
	if len(fails) > 0 && fails[len(fails)-1].Name == unexecuted {
		unix.Wait4(pid, nil, 0, nil)
		return cannotExecute(string(s.p.Command[0]), fails)
	}
	for _, f := range fails {
		if f.Name != chdir && !strings.HasPrefix(f.Name, execute) {
			unix.Wait4(pid, nil, 0, nil)
			return cannotStart(f)
		}
	}
	s.command = pid
	plan.Send(s.p.Control, plan.Message{Kind: plan.Running})
	return nil
}

// Names of steps of the command's table.
const (
	execute    = "execute "
	chdir      = "chdir"
	commandNS  = "make a user namespace for the command"
	unexecuted = "no such command"
)

// exec forks a process that tries to execute paths, one after the other.
func (s *state) exec(paths, argv []string) (int, []*rawfork.StepError, error) {
	var t rawfork.Table
	p := s.p
	t.Call("death signal", unix.SYS_PRCTL, rawfork.Int(unix.PR_SET_PDEATHSIG), rawfork.Int(unix.SIGKILL))
	if p.UserNS {
		t.Call(commandNS, unix.SYS_UNSHARE, rawfork.Int(unix.CLONE_NEWUSER))
		maps.Add(&t, p.UID, 0, p.GID, 0)
		// a change of credentials takes the death signal away (prctl(2))
		t.Call("death signal", unix.SYS_PRCTL, rawfork.Int(unix.PR_SET_PDEATHSIG), rawfork.Int(unix.SIGKILL))
	}
	clientproc.Alive(&t, p.Control)
	t.Call(chdir, unix.SYS_CHDIR, t.Str(string(p.Dir))).Report()
	t.Call("umask", unix.SYS_UMASK, rawfork.Int(s.umask))
	t.Call("limit of open files", unix.SYS_PRLIMIT64, rawfork.Int(0), rawfork.Int(unix.RLIMIT_NOFILE), t.Words(p.Inherit.NoFile.Cur, p.Inherit.NoFile.Max), rawfork.Int(0)).Ignore()
	inheritSignals(&t, p.Inherit.Ignored, p.Inherit.Mask)
	env := plan.Strings(p.Env)
	argvArg, envArg := t.Strv(argv), t.Strv(env)
	none := t.NewLabel()
	for _, path := range paths {
		t.Exec(execute+path, unix.SYS_EXECVE, t.Str(path), argvArg, envArg).Ignore().When(unix.ENOEXEC, none)
	}
	t.Place(none)
	t.Call(unexecuted, unix.SYS_CLOSE, rawfork.Int(-1))
	proc, err := t.Start(0)
	if err != nil {
		return 0, nil, exit.Errorf(exit.Unclassified, "start the command: %w", err)
	}
	fails, err := proc.Failures()
	if err != nil {
		return 0, nil, exit.Errorf(exit.Unclassified, "start the command: %w", err)
	}
	return proc.PID, fails, nil
}

// inheritSignals gives the child the caller's dispositions (bit n-1: signal n is
// ignored) and mask.
func inheritSignals(t *rawfork.Table, ignored, mask uint64) {
	for n := uint(1); n <= 64; n++ {
		const dfl, ign = 0, 1
		var handler uint64 = dfl
		if ignored&(1<<(n-1)) != 0 {
			handler = ign
		} else if n != uint(unix.SIGHUP) && n != uint(unix.SIGINT) {
			continue // default since the fork
		}
		t.Call("sigaction", unix.SYS_RT_SIGACTION, rawfork.Int(n), t.Words(handler, 0, 0, 0), rawfork.Int(0), rawfork.Int(8)).Ignore()
	}
	t.Call("sigprocmask", unix.SYS_RT_SIGPROCMASK, rawfork.Int(unix.SIG_SETMASK), t.Words(mask), rawfork.Int(0), rawfork.Int(8)).Ignore()
}

// scriptAt returns the index of the path that the kernel knows no format for, -1 if
// there is none.
func scriptAt(fails []*rawfork.StepError, paths []string) int {
	for _, f := range fails {
		if f.Err != unix.ENOEXEC {
			continue
		}
		for i, p := range paths {
			if f.Name == execute+p {
				return i
			}
		}
	}
	return -1
}

// cannotExecute is the error for a command that no path led to: 126 when something
// was there that could not be executed, 127 when nothing was.
func cannotExecute(name string, fails []*rawfork.StepError) error {
	code, cause := exit.NotFound, error(unix.ENOENT)
	for _, f := range fails {
		if strings.HasPrefix(f.Name, execute) && f.Err != unix.ENOENT && f.Err != unix.ENOTDIR {
			code, cause = exit.CannotExec, f.Err
			break
		}
	}
	if code == exit.NotFound && !strings.Contains(name, "/") {
		cause = errors.New("command not found")
	}
	return &exit.Error{Code: code, Err: fmt.Errorf("execute %q: %w", name, cause)}
}

// cannotStart is the error for a command whose process could not be made ready.
func cannotStart(f *rawfork.StepError) error {
	if f.Name == commandNS && (f.Err == unix.ENOSPC || f.Err == unix.EUSERS) {
		return exit.Errorf(exit.NoMode, "%w (the limit of user namespaces is reached)", f).
			Hint("ask the administrator for: sysctl user.max_user_namespaces=15000")
	}
	return exit.Errorf(exit.NoMode, "start the command: %w", f)
}

// pathVar returns PATH of env; without one the default of execvp(3).
func pathVar(env []string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			return v
		}
	}
	return "/bin:/usr/bin"
}

// candidates returns what execvp(3) would try for name: itself when it has a slash,
// else one path for each element of PATH, an empty one being the working directory.
func candidates(name, path string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	if name == "" {
		return nil
	}
	var out []string
	for _, dir := range strings.Split(path, string(os.PathListSeparator)) {
		if dir == "" {
			dir = "."
		}
		out = append(out, dir+"/"+name)
	}
	return out
}
