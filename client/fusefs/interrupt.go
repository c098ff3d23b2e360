package fusefs

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const (
	// grace is how long a request goes on after its caller got a signal that does
	// not kill it.
	grace = 3 * time.Second
	// deathPoll is how often a caller that had a signal is looked at: the kernel
	// sends one INTERRUPT for a request, though a kill may follow a timer's signal.
	deathPoll = 100 * time.Millisecond
)

// opContext is the context of one request. It is cancelled when the caller is being
// killed, and, unless the request is a read, some time after the caller got any
// other signal. Nothing is spent on that unless somebody waits for Done.
type opContext struct {
	context.Context
	cancel <-chan struct{} // closed by INTERRUPT; go-fuse uses it again for a later request
	pid    uint32
	read   bool

	once sync.Once
	done chan struct{}
	end  chan struct{}
}

// begin returns the context of a request and the function that must be called at
// its end.
func begin(cancel <-chan struct{}, h *fuse.InHeader) (*opContext, func()) {
	c := &opContext{Context: context.Background(), cancel: cancel, pid: h.Pid}
	return c, c.finish
}

func (c *opContext) finish() {
	c.once.Do(func() {}) // from now on Done starts nothing
	if c.end != nil {
		close(c.end)
	}
}

// Done implements [context.Context].
func (c *opContext) Done() <-chan struct{} {
	c.once.Do(func() {
		c.done, c.end = make(chan struct{}), make(chan struct{})
		go c.watch()
	})
	return c.done
}

// Err implements [context.Context].
func (c *opContext) Err() error {
	select {
	case <-c.cancel:
	default: // the usual case costs no goroutine
		return nil
	}
	select {
	case <-c.Done():
		return context.Canceled
	default:
		return nil
	}
}

func (c *opContext) watch() {
	select {
	case <-c.end:
		return
	case <-c.cancel:
	}
	deadline := time.Now().Add(grace)
	for {
		if dying(c.pid) || !c.read && time.Now().After(deadline) {
			close(c.done)
			return
		}
		select {
		case <-c.end:
			return
		case <-time.After(deathPoll):
		}
	}
}

// dying reports whether a thread has SIGKILL pending. The kernel turns every
// signal that ends a process and is neither handled nor ignored into SIGKILL for
// all its threads (Linux, kernel/signal.c, complete_signal), core dumps excepted.
// A thread that is not there is dead.
func dying(pid uint32) bool {
	if pid == 0 { // of a pid namespace that we do not see
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		_, procErr := os.Stat("/proc/self")
		return procErr == nil
	}
	for line := range strings.Lines(string(status)) {
		key, mask, _ := strings.Cut(line, ":")
		if key != "SigPnd" && key != "ShdPnd" {
			continue
		}
		bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if err == nil && bits&(1<<(unix.SIGKILL-1)) != 0 {
			return true
		}
	}
	return false
}
