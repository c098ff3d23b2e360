package usernsfuse

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/mode"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/plan"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawsig"
)

// forwarded are the signals that the process on the host passes on. It is a list: a
// signal.Notify of everything costs milliseconds.
var forwarded = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
	unix.SIGALRM, unix.SIGWINCH, unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU,
	unix.SIGXCPU, unix.SIGXFSZ, unix.SIGPWR, unix.SIGIO, unix.SIGVTALRM,
}

// supervise passes signals on until init tells how the command ended, then reaps init.
func (r *run) supervise(pid int) (mode.Result, error) {
	sigs := make(chan os.Signal, 64)
	signal.Ignore(unix.SIGQUIT) // had its default so far, behind the Go runtime's back
	signal.Notify(sigs, forwarded...)
	defer signal.Stop(sigs)
	msgs := make(chan plan.Message)
	go func() {
		defer close(msgs)
		for {
			m, err := plan.Receive(r.control)
			if err != nil {
				return
			}
			msgs <- m
		}
	}()
	// a warning that nobody reads must not end the run
	signal.Ignore(unix.SIGPIPE)
	for {
		select {
		case sig := <-sigs:
			plan.Send(r.control, plan.Message{Kind: plan.Forward, Signal: int(sig.(syscall.Signal))})
		case m, ok := <-msgs:
			if !ok {
				return r.initGone(pid)
			}
			switch m.Kind {
			case plan.Warning:
				r.job.Warn(string(m.Text))
			case plan.Stopped:
				stopSelf(unix.Signal(m.Signal))
			case plan.Ended:
				r.end(pid)
				return mode.Result{Status: m.Status, Signal: syscall.Signal(m.Signal)}, nil
			case plan.Failed:
				r.end(pid)
				return mode.Result{}, m.Err()
			}
		}
	}
}

// endLimit is how long init may take to end after its last word.
const endLimit = 10 * time.Second

// hangs is the warning about processes that outlive the run.
const hangs = "a process of this run hangs in the kernel and does not end yet"

// end reaps init, which ends when everything in its pid namespace has. A process that
// hangs in the kernel, for a file server that is gone, must not keep the caller.
func (r *run) end(pid int) unix.WaitStatus {
	done := make(chan unix.WaitStatus, 1)
	go func() { done <- wait(pid) }()
	select {
	case ws := <-done:
		return ws
	case <-time.After(endLimit):
		r.job.Warn(hangs)
		return unix.WaitStatus(unix.SIGKILL) // what has happened to it, or will
	}
}

// initGone is the end of init without a word: somebody killed it, and so everything.
func (r *run) initGone(pid int) (mode.Result, error) {
	ws := r.end(pid)
	if ws.Signaled() {
		return mode.Result{Signal: ws.Signal()}, nil
	}
	return mode.Result{}, exit.Errorf(exit.Unclassified, "init ended with status %d", ws.ExitStatus())
}

// stopSelf stops this process by the signal that has stopped the command, so that the
// caller's shell sees it, and comes back when it is continued.
func stopSelf(sig unix.Signal) {
	if sig == unix.SIGSTOP {
		unix.Kill(os.Getpid(), sig)
		return
	}
	old := rawsig.Default(sig)
	rawsig.Raise(sig)
	rawsig.Restore(sig, old)
}
