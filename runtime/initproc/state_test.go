package initproc

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/plan"
)

// running is init with a command that runs and one client that has not answered.
func running(t *testing.T) (s *state, c *client, outer int) {
	t.Helper()
	outer, inner, err := plan.Socket()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(outer); unix.Close(inner) })
	c = &client{Client: plan.Client{Repo: "a.example.org"}, pid: 1 << 30, started: time.Now(), out: &tail{done: make(chan struct{})}}
	close(c.out.done)
	s = &state{
		p: &plan.Plan{Control: inner, State: "/state"}, events: make(chan any, 64), sigs: make(chan os.Signal, 64),
		clients: map[string]*client{c.Repo: c}, byPID: map[int]*client{c.pid: c}, waiting: 1, command: 1 << 29,
	}
	return s, c, outer
}

// sleeper is a process to be killed.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	testenv.Needs(t, testenv.Tool("sleep", "coreutils"))
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd
}

const killed = unix.WaitStatus(unix.SIGKILL)

// What a run waits for is told, once the client has had some time and not after.
func TestSlowClientIsTold(t *testing.T) {
	s, c, outer := running(t)
	if err := s.event(slow{c}); err != nil {
		t.Fatal(err)
	}
	m, err := plan.Receive(outer)
	if want := "still waiting for a.example.org: its client has tried for 10s; its log is /state/log/a.example.org.log"; err != nil || m.Kind != plan.Warning || string(m.Text) != want {
		t.Errorf("message %+v, %v; want %q", m, err, want)
	}
	c.ready = true
	if err := s.event(slow{c}); err != nil {
		t.Fatal(err)
	}
	unix.SetNonblock(outer, true)
	if m, err := plan.Receive(outer); err == nil {
		t.Errorf("told about a client that has answered: %+v", m)
	}
}

// A client that answered and died before its answer was looked at counts once.
func TestAnswerOfDeadClient(t *testing.T) {
	s, c, _ := running(t)
	if err := s.clientEnded(c, killed); err != nil {
		t.Fatal(err)
	}
	if err := s.answered(c); err != nil {
		t.Fatal(err)
	}
	if s.waiting != 0 || c.ready {
		t.Errorf("waiting for %d clients, ready %v; want 0, false", s.waiting, c.ready)
	}
	if e, ok := (<-s.events).(again); !ok || e.c != c {
		t.Errorf("event %v; want the client started again", e)
	}
}

// Whatever comes late for a client that has been replaced changes nothing.
func TestStaleEvents(t *testing.T) {
	s, c, _ := running(t)
	s.clientEnded(c, killed)
	next := &client{Client: c.Client, pid: 1<<30 + 1, out: c.out}
	s.clients[c.Repo], s.byPID[next.pid], s.waiting = next, next, 1
	for _, e := range []any{answered{c}, late{c}} {
		if err := s.event(e); err != nil || s.waiting != 1 || next.ready {
			t.Errorf("%T: %v, waiting %d, ready %v", e, err, s.waiting, next.ready)
		}
	}
	s.command = 0 // an old client's time is over while the new one is waited for
	if err := s.late(c); err != nil {
		t.Error(err)
	}
	if err := s.late(next); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("late = %v", err)
	}
}

// A client that hangs while the command runs is killed, so that it is started again.
func TestHangingClientIsKilled(t *testing.T) {
	s, c, _ := running(t)
	cmd := sleeper(t)
	delete(s.byPID, c.pid)
	c.pid = cmd.Process.Pid
	s.byPID[c.pid] = c
	if err := s.event(late{c}); err != nil {
		t.Error(err)
	}
	cmd.Wait()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != unix.SIGKILL {
		t.Errorf("the client ended with %v", cmd.ProcessState)
	}
}

// A client that dies again and again is given up with one warning; one that lived long
// starts its count again.
func TestRestartsAreLimited(t *testing.T) {
	s, c, outer := running(t)
	c.ready, c.restarts, c.started = true, maxRestarts, time.Now().Add(-2*longLife)
	s.clientEnded(c, killed)
	if c.restarts != 0 {
		t.Errorf("%d restarts after a long life; want 0", c.restarts)
	}
	if _, ok := (<-s.events).(again); !ok {
		t.Error("not started again")
	}
	c.restarts, c.started = maxRestarts, time.Now()
	s.byPID[c.pid] = c
	s.clientEnded(c, killed)
	m, err := plan.Receive(outer)
	if want := "the client of a.example.org ended 21 times, last: SIGKILL; /cvmfs/a.example.org is not mounted any more"; err != nil || m.Kind != plan.Warning || string(m.Text) != want {
		t.Errorf("%v, %v; want %q", m, err, want)
	}
}

// Before the command runs, the end of a client that did not serve is the end of all.
func TestClientEndsBeforeCommand(t *testing.T) {
	s, c, _ := running(t)
	s.command = 0
	if err := s.clientEnded(c, killed); err == nil || !strings.Contains(err.Error(), "killed by SIGKILL") || s.waiting != 0 {
		t.Errorf("%v, waiting %d", err, s.waiting)
	}
}

// A signal that init got itself is not passed on, also when init only looks at it after
// the time for it has passed.
func TestWitness(t *testing.T) {
	s, _, _ := running(t)
	cmd := sleeper(t)
	s.command = cmd.Process.Pid
	s.forward(unix.SIGHUP)
	s.sigs <- unix.SIGHUP
	if err := s.event(<-s.events); err != nil {
		t.Fatal(err)
	}
	s.forward(unix.SIGHUP) // seen a moment ago: dropped at once
	if len(s.events) != 0 {
		t.Error("a seen signal waits to be passed on")
	}
	s.forward(unix.SIGTERM)
	if err := s.event(<-s.events); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != unix.SIGTERM {
		t.Errorf("the command ended with %v; want SIGTERM alone to arrive", cmd.ProcessState)
	}
	var w witness
	w.saw(1 << 20) // no such signal
	if w.recent(1<<20) || w.recent(unix.SIGHUP) {
		t.Error("an unseen signal counts as seen")
	}
}

// Signals that ask for the end give up a run whose command has not been started.
func TestGiveUp(t *testing.T) {
	tests := []struct {
		sig     unix.Signal
		ignored uint64
		want    plan.Kind
	}{
		{unix.SIGINT, 0, plan.Ended},
		{unix.SIGTERM, 1 << (unix.SIGINT - 1), plan.Ended},
		{unix.SIGINT, 1 << (unix.SIGINT - 1), 0},
		{unix.SIGUSR1, 0, 0},
		{unix.SIGWINCH, 0, 0},
		{unix.SIGTSTP, 0, 0},
	}
	for _, tt := range tests {
		s, _, _ := running(t)
		s.command, s.p.Inherit.Ignored = 0, tt.ignored
		s.forward(tt.sig)
		if s.result.Kind != tt.want || tt.want != 0 && s.result.Signal != int(tt.sig) {
			t.Errorf("%v, ignored %#x: %+v", tt.sig, tt.ignored, s.result)
		}
	}
}
