package rawfork

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// StepError is a step that failed in the child.
type StepError struct {
	Step int    // index in the table, [Step.Index]
	Name string // what the step was called when it was added
	Err  syscall.Errno
}

func (e *StepError) Error() string { return e.Name + ": " + e.Err.Error() }

func (e *StepError) Unwrap() error { return e.Err }

// CloneError is a clone that the kernel refused: there is no child.
type CloneError struct {
	Flags uintptr // CLONE_*
	Err   syscall.Errno
}

func (e *CloneError) Error() string { return fmt.Sprintf("clone(%#x): %v", e.Flags, e.Err) }

func (e *CloneError) Unwrap() error { return e.Err }

// Process is a child that runs a table.
type Process struct {
	PID int
	t   *Table
	rep *os.File // read end of the report pipe
}

// report is what a child writes about a failed step: its index and errno.
const reportSize = 8

// Start forks with the given CLONE_* flags (the termination signal is SIGCHLD) and
// lets the child run the table from its first step. A child that runs out of steps
// exits with status 0. The caller reaps it.
//
// The death signal of a child (PR_SET_PDEATHSIG) hangs on the thread that forks: call
// Start from a goroutine that is locked to a thread that lives as long as the
// process, the main thread.
func (t *Table) Start(flags uintptr) (*Process, error) {
	p, err := reportPipe()
	if err != nil {
		return nil, fmt.Errorf("report pipe: %w", err)
	}
	steps := t.link()
	syscall.ForkLock.Lock()
	pid, errno := forkAndRun(flags|uintptr(unix.SIGCHLD), unsafe.SliceData(steps), len(steps), p[1])
	syscall.ForkLock.Unlock()
	t.alive()
	unix.Close(p[1])
	if errno != 0 {
		unix.Close(p[0])
		return nil, &CloneError{Flags: flags, Err: errno}
	}
	return &Process{PID: int(pid), t: t, rep: os.NewFile(uintptr(p[0]), "report")}, nil
}

// firstReport is the lowest number of the descriptor that a child reports on: the ones
// below may be laid out by the table for the program that it executes.
const firstReport = 10

// reportPipe makes the pipe that the child reports on, close-on-exec.
func reportPipe() (p [2]int, err error) {
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return p, err
	}
	if p[1] >= firstReport {
		return p, nil
	}
	high, err := unix.FcntlInt(uintptr(p[1]), unix.F_DUPFD_CLOEXEC, firstReport)
	unix.Close(p[1])
	if err != nil {
		unix.Close(p[0])
		return p, err
	}
	p[1] = high
	return p, nil
}

// Failures waits until the child, and every process that it forked, has executed a
// program or ended, and returns the failed steps that were reported, in order.
func (p *Process) Failures() ([]*StepError, error) {
	defer p.rep.Close()
	var out []*StepError
	var buf [reportSize]byte
	for {
		n, err := p.rep.Read(buf[:])
		if n == 0 {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if n != reportSize {
			return out, errors.New("short report")
		}
		i := int(binary.NativeEndian.Uint32(buf[:4]))
		out = append(out, &StepError{Step: i, Name: p.t.name(i), Err: syscall.Errno(binary.NativeEndian.Uint32(buf[4:]))})
	}
}
