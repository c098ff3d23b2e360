package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// patience is how long a program may take to end after it was told to, runLimit how
// long it may run.
const (
	patience = 10 * time.Second
	runLimit = 2 * time.Minute
)

// maxOutput bounds what is kept of a program's output, in bytes.
const maxOutput = 16 << 20

// childError is the failure of a program that the demo started. It unwraps to an error
// with the program's exit code.
type childError struct {
	said string // its standard error
	err  error
}

func (e *childError) Error() string { return e.err.Error() }

func (e *childError) Unwrap() error { return e.err }

// result is how a program ended.
type result struct {
	stdout, stderr string
	code           int
	took           string
}

// child runs a program to its end. It gets SIGTERM when ctx ends or its time is over,
// and dies with us.
func (d *demo) child(ctx context.Context, name string, args []string, prepare func(*exec.Cmd)) (result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, runLimit, fmt.Errorf("it did not end within %v", runLimit))
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr limited
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	prepare(cmd)
	start := time.Now()
	err := cmd.Run()
	r := result{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode(), took: since(start)}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var status *exec.ExitError
	if err == nil || errors.As(err, &status) && r.code >= 0 {
		return r, nil
	}
	return r, &childError{r.stderr, fmt.Errorf("%s: %w", name, err)}
}

// bundle runs the bundle as the ordinary user, with next to no environment. Its exit
// status must be want.
func (d *demo) bundle(ctx context.Context, want int, args ...string) (result, error) {
	r, err := d.child(ctx, "./cvmfsexec", args, func(cmd *exec.Cmd) {
		cmd.Dir = d.user
		cmd.Env = []string{d.marker.Env(), "PATH=" + os.Getenv("PATH")}
		if d.drop {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(d.uid), Gid: uint32(d.gid)}
		}
	})
	if err == nil && r.code != want {
		err = &childError{r.stderr, exit.Errorf(exit.Code(max(r.code, 1)), "%s ended with status %d, not %d", typed(args), r.code, want)}
	}
	return r, err
}

// typed is a run of the bundle as a user would type it.
func typed(args []string) string {
	words := []string{"./cvmfsexec"}
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " '$") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}

// limited keeps the first [maxOutput] bytes that are written to it.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), max(0, maxOutput-l.Len()))])
	return len(p), nil
}
