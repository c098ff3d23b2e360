// Package initproc is init: pid 1 of a run (or, where /proc is masked, just the parent
// of its processes). It is the stub, executed a second time inside the name spaces that
// the forked child of the first one has made, beside the clients that child has started
// already.
//
// Init waits for the clients to answer, mounts the repositories whose configuration
// lies in the configuration repository, starts the command under the caller's own uid,
// reaps, starts a client again that died, and passes signals on. When the command ends,
// init ends, and with it everything in the pid namespace.
//
// One goroutine, locked to the main thread, owns all state and does all forks: the
// death signals of the children hang on that thread. Others only wait for something
// and send an event.
package initproc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/clientproc"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/newroot"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/plan"
)

// failed is init's exit status when it could not start the command.
const failed = 1

// state is what the main goroutine owns.
type state struct {
	p       *plan.Plan
	client  clientproc.Client
	events  chan any
	clients map[string]*client // by repository
	byPID   map[int]*client
	waiting int // clients that have not answered yet
	command int // pid, 0 before it runs
	result  plan.Message
	witness witness
	sigs    chan os.Signal // that init gets itself
	umask   int            // the caller's, for the command
	null    *os.File
}

// Events of the main loop.
type (
	hangup   struct{}                  // the process on the host is gone
	request  struct{ m plan.Message }  // a control message
	answered struct{ c *client }       // first statfs came back
	refused  struct{ c *client }       // first statfs failed
	late     struct{ c *client }       // a client did not answer in time
	slow     struct{ c *client }       // it lets people wait
	deliver  struct{ sig unix.Signal } // no witness: pass the signal on
	again    struct{ c *client }       // time to start a client again
	loaded   struct {                  // configurations are evaluated
		confs []plan.Client
		err   error
	}
)

// Main runs init; fdText is the number of the plan's descriptor. It returns the exit
// status of the process.
func Main(fdText string) int {
	runtime.LockOSThread()
	fd, err := strconv.Atoi(fdText)
	if err != nil {
		return failed
	}
	unix.Prctl(unix.PR_SET_NAME, uintptr(namePtr()), 0, 0, 0)
	p, err := plan.Read(fd)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cvmfsexec: error:", err)
		return failed
	}
	s := &state{p: p, events: make(chan any, 64), sigs: make(chan os.Signal, 64), clients: map[string]*client{}, byPID: map[int]*client{}}
	s.umask = unix.Umask(0o022) // for clients and mount points
	s.ownFDs()
	if err := s.run(); err != nil {
		s.reap()
		s.killAll()
		plan.SendLast(p.Control, plan.Failure(err))
		return failed
	}
	s.endClients()
	s.killAll()
	plan.SendLast(p.Control, s.result)
	return 0
}

// ownFDs keeps our descriptors from every program that is executed later.
func (s *state) ownFDs() {
	fds := []int{s.p.Control, s.p.PIDs, s.p.Null}
	for _, c := range s.p.Started {
		fds = append(fds, c.Output)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	s.null = os.NewFile(uintptr(s.p.Null), os.DevNull)
}

var errGone = errors.New("the process on the host is gone")

// run is the main loop. An error means that no command has been started.
func (s *state) run() error {
	if !s.p.PIDNS {
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	// a channel of its own: others must not push it out
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	signal.Notify(s.sigs, witnessed...)
	go s.listen()
	if err := s.adopt(); err != nil {
		return err
	}
	if s.waiting == 0 {
		if err := s.proceed(); err != nil {
			return err
		}
	}
	// a child may have ended before SIGCHLD was asked for
	if err := s.reap(); err != nil {
		return err
	}
	for s.result.Kind == 0 {
		var err error
		select {
		case <-children:
			err = s.reap()
		case sig := <-s.sigs:
			s.signal(sig.(syscall.Signal))
		case e := <-s.events:
			err = s.event(e)
		}
		if errors.Is(err, errGone) {
			s.killAll()
			return err
		}
		if err != nil && s.command == 0 {
			return err
		}
	}
	return nil
}

// event handles one event. An error before the command runs ends everything.
func (s *state) event(e any) error {
	switch e := e.(type) {
	case hangup:
		return errGone
	case request:
		if e.m.Kind == plan.Forward {
			s.forward(unix.Signal(e.m.Signal))
		}
	case deliver:
		s.seen()
		if s.command != 0 && !s.witness.recent(e.sig) {
			unix.Kill(s.command, e.sig)
		}
	case answered:
		return s.answered(e.c)
	case refused:
		// the client is about to end and its exit status says why: give it time
		time.AfterFunc(3*time.Second, func() { s.events <- late(e) })
	case late:
		return s.late(e.c)
	case slow:
		s.slow(e.c)
	case again:
		return s.restart(e.c)
	case loaded:
		if e.err != nil {
			return e.err
		}
		return s.mount(e.confs)
	}
	return nil
}

// listen turns control messages into events.
func (s *state) listen() {
	for {
		m, err := plan.Receive(s.p.Control)
		if err != nil {
			s.events <- hangup{}
			return
		}
		s.events <- request{m}
	}
}

// warn sends a line for the user.
func (s *state) warn(format string, args ...any) {
	plan.Send(s.p.Control, plan.Message{Kind: plan.Warning, Text: plan.Text(fmt.Sprintf(format, args...))})
}

// adopt takes over the clients that were started before us.
func (s *state) adopt() error {
	if s.p.NoExec {
		if err := cover(string(s.p.Dist)); err != nil {
			return exit.Errorf(exit.Mount, "copy the client off a noexec file system: %w", err)
		}
	}
	s.client = clientproc.New(string(s.p.Dist), plan.Strings(s.p.Env))
	pids := os.NewFile(uintptr(s.p.PIDs), "pids")
	defer pids.Close()
	for i := range s.p.Started {
		var b [4]byte
		if _, err := io.ReadFull(pids, b[:]); err != nil {
			return fmt.Errorf("pids of the clients: %w", err)
		}
		pid := int(b[0]) | int(b[1])<<8 | int(b[2])<<16 | int(b[3])<<24
		s.watch(&client{Client: s.p.Started[i], pid: pid}, os.NewFile(uintptr(s.p.Started[i].Output), "output"))
	}
	return nil
}

// proceed does what comes next when every client that was started has answered: mount
// the repositories that are still pending, else start the command.
func (s *state) proceed() error {
	if len(s.p.Pending) > 0 {
		pending := s.p.Pending
		if pending[0] == s.p.ConfigRepo {
			pending = pending[:1] // what the others need to be configured
		}
		s.p.Pending = s.p.Pending[len(pending):]
		go s.configure(pending)
		return nil
	}
	if s.command != 0 {
		return nil
	}
	if err := newroot.Seal(string(s.p.Sealed)); err != nil {
		return exit.Wrap(exit.Mount, err)
	}
	return s.start()
}
