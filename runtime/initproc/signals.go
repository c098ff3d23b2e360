package initproc

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/runtime/plan"
)

// Signals that may reach a whole process group at once: a terminal sends INT, QUIT,
// TSTP and WINCH to the foreground group, batch systems any of these with kill -PG. The
// command is in the same group as the process on the host and init, so it gets such a
// signal itself. Init is the witness: a signal that it has seen too is not passed on a
// second time.
var witnessed = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
	unix.SIGALRM, unix.SIGWINCH, unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU,
	unix.SIGXCPU, unix.SIGXFSZ, unix.SIGPWR, unix.SIGIO, unix.SIGVTALRM,
}

const (
	sameSignal  = 200 * time.Millisecond // seen before: how long ago it is still the same
	witnessWait = 10 * time.Millisecond  // seen after: how long to wait for it
)

// witness remembers when signals were seen.
type witness struct {
	seen [65]time.Time
}

func (w *witness) saw(sig unix.Signal) {
	if int(sig) < len(w.seen) {
		w.seen[sig] = time.Now()
	}
}

// recent reports whether init itself got the signal just now.
func (w *witness) recent(sig unix.Signal) bool {
	return int(sig) < len(w.seen) && time.Since(w.seen[sig]) < sameSignal
}

// signal handles a signal that init got.
func (s *state) signal(sig unix.Signal) {
	s.witness.saw(sig)
	if s.command == 0 {
		s.giveUp(sig)
	}
}

// seen takes notice of the signals that wait to be handled: a busy main loop must not
// pass on what it has only not looked at yet.
func (s *state) seen() {
	for {
		select {
		case sig := <-s.sigs:
			s.signal(sig.(syscall.Signal))
		default:
			return
		}
	}
}

// forward passes a signal on that the process on the host got, unless the command has
// got it as well.
func (s *state) forward(sig unix.Signal) {
	if s.command == 0 {
		s.giveUp(sig)
		return
	}
	if s.witness.recent(sig) {
		return
	}
	time.AfterFunc(witnessWait, func() { s.events <- deliver{sig} })
}

// giveUp ends the run before the command was started, when the signal asks for that.
func (s *state) giveUp(sig unix.Signal) {
	switch sig {
	case unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGXCPU:
		if s.p.Inherit.Ignored&(1<<(sig-1)) == 0 {
			s.result = plan.Message{Kind: plan.Ended, Signal: int(sig)}
		}
	}
}

// reap waits for every child that has ended or stopped.
func (s *state) reap() error {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG|unix.WUNTRACED, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid == 0 {
			return nil
		}
		if err := s.ended(pid, ws); err != nil {
			return err
		}
	}
}

// ended handles a child that has ended or stopped.
func (s *state) ended(pid int, ws unix.WaitStatus) error {
	switch {
	case pid == s.command && ws.Stopped():
		plan.Send(s.p.Control, plan.Message{Kind: plan.Stopped, Signal: int(ws.StopSignal())})
	case ws.Stopped():
	case pid == s.command:
		s.result = plan.Message{Kind: plan.Ended}
		if ws.Signaled() {
			s.result.Signal = int(ws.Signal())
		} else {
			s.result.Status = ws.ExitStatus()
		}
	default:
		if c := s.byPID[pid]; c != nil {
			return s.clientEnded(c, ws)
		}
	}
	return nil
}

// namePtr is the process name that ps shows for init.
func namePtr() unsafe.Pointer {
	name := []byte("cvmfsexec-init\x00")
	return unsafe.Pointer(&name[0])
}
