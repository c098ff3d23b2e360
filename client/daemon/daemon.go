// Package daemon puts a program into the background the way libfuse does: the
// command returns only when its work has begun, and with what went wrong when it
// could not.
//
// A Go process has threads and cannot fork, so the work is done by a second run of
// the same executable, the *child*, with a session of its own. The *parent* is the
// command that the user started; it only waits. Until the child calls
// [Child.Ready] it has the parent's standard streams, so its messages appear where
// the user looks, and its exit status becomes the parent's. When the parent is
// told to end while it waits, it passes that on; when it is gone, the child learns
// so from Ready and must undo what it did.
package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// envVar tells a process that it is the child; its value is the descriptor to
// report on.
const envVar = "CVMFS2_READY_FD"

// ErrParentGone is returned by [Child.Ready] when nobody waits any more.
var ErrParentGone = errors.New("the parent process has gone away")

// Child is the child's side. A nil Child is that of a program in the foreground.
type Child struct{ pipe *os.File }

// Inside returns the child's side when this process is the child, and nil when it
// is not. It removes the mark from the environment and must be called once, first.
func Inside() *Child {
	v, ok := os.LookupEnv(envVar)
	if !ok {
		return nil
	}
	os.Unsetenv(envVar)
	fd, err := strconv.Atoi(v)
	if err != nil || fd < 3 {
		return nil
	}
	unix.CloseOnExec(fd)
	return &Child{os.NewFile(uintptr(fd), "ready pipe")}
}

// Ready lets go of the parent's standard streams and lets the parent end with
// success. It does nothing for a nil Child.
func (c *Child) Ready() error {
	if c == nil {
		return nil
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("let go of descriptor %d: %w", fd, err)
		}
	}
	defer c.pipe.Close()
	if _, err := c.pipe.Write([]byte{1}); err != nil {
		return fmt.Errorf("%w: %w", ErrParentGone, err)
	}
	return nil
}

// Start runs this program again as the child, with the given arguments (args[0] is
// the program's name), and waits until it is ready or has ended. The extra files
// keep their descriptor numbers. It returns the child's exit status, 0 when it is
// ready.
func Start(args []string, keep []int) (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("make pipe: %w", err)
	}
	defer r.Close()
	defer w.Close()
	// The descriptor named /dev/fd/N on the command line must be N in the child.
	top := 3
	for _, fd := range keep {
		top = max(top, fd+1)
	}
	files := make([]*os.File, top-3+1)
	for _, fd := range keep {
		if fd >= 3 {
			files[fd-3] = os.NewFile(uintptr(fd), "/dev/fd")
		}
	}
	files[top-3] = w
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: args,
		Env:   append(os.Environ(), envVar+"="+strconv.Itoa(top)),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		ExtraFiles:  files,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start in the background: %w", err)
	}
	w.Close()
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()
	var b [1]byte
	if n, _ := r.Read(b[:]); n == 1 {
		return 0, cmd.Process.Release()
	}
	err = cmd.Wait()
	var ee *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &ee) && ee.Exited():
		return ee.ExitCode(), nil
	}
	return 0, fmt.Errorf("the background process ended: %w", err)
}
