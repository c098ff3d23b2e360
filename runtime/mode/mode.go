// Package mode names the ways to mount as an ordinary user and what each driver of one
// is given and gives back.
package mode

import (
	"context"
	"fmt"
	"strings"
	"syscall"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/inherit"
)

// Mode is a way to mount. The numbers are those of the original cvmfsexec.
type Mode int

// Modes.
const (
	Auto             Mode = 0 // the first that works
	Fusermount       Mode = 1 // setuid fusermount, mounts visible on the host
	UsernsFusermount Mode = 2 // fusermount, then a user namespace
	UsernsFuse       Mode = 3 // fuse mounts inside a user namespace
	Apptainer        Mode = 4 // apptainer or singularity --fusemount
)

func (m Mode) String() string {
	switch m {
	case Auto:
		return "auto"
	case Fusermount:
		return "1 (fusermount)"
	case UsernsFusermount:
		return "2 (user namespace + fusermount)"
	case UsernsFuse:
		return "3 (user namespace with fuse inside)"
	case Apptainer:
		return "4 (apptainer)"
	}
	return fmt.Sprintf("%d", int(m))
}

// Job is a command to be run with repositories mounted. Paths are absolute.
type Job struct {
	Dist       string   // the dist tree
	NoExec     bool     // Dist lies on a file system that is mounted noexec
	State      string   // writable directory with var/lib/cvmfs, var/run/cvmfs and log
	Repos      []string // fqrns, each once, the configuration repository first
	ConfigRepo string   // the configuration repository, or ""
	Local      string   // file of overrides (CVMFSEXEC_LOCAL), or ""
	Set        []string // KEY=VALUE overrides, the strongest
	CacheBase  string   // the run's own cache base; "" takes the configuration's
	RunDir     string   // the run's own directory of sockets; "" takes the dist tree's

	Command []string // never empty
	Env     []string // of the command
	Dir     string   // its working directory
	Inherit inherit.State
	Umask   int // of the command

	Warn func(text string) // a line for the user
}

// Result is how a command ended.
type Result struct {
	Status int            // exit status, when Signal is 0
	Signal syscall.Signal // the signal that ended it
}

// Driver runs jobs in one mode. Errors carry exit codes; a *Refusal among them tells
// that the machine does not allow the mode, so that another may be tried.
type Driver interface {
	Mode() Mode
	Run(ctx context.Context, job *Job) (Result, error)
}

// Refusal says that a machine does not allow a mode: what was tried, how the machine
// answered, and what would enable it.
type Refusal struct {
	Mode  Mode
	Tried string        // "make a user namespace"
	Err   error         // the answer, usually a syscall.Errno
	Why   string        // one sentence for people; "" when only Err is known
	Hints []string      // commands, settings
	Errno syscall.Errno // the answer again, 0 when it was none
}

func (r *Refusal) Error() string {
	s := fmt.Sprintf("mode %d cannot be used here: %s: %v", int(r.Mode), r.Tried, r.Err)
	if r.Why != "" {
		s += " (" + r.Why + ")"
	}
	return s
}

func (r *Refusal) Unwrap() error { return r.Err }

// NoModeError is the error of a machine on which no mode works: one line for each.
func NoModeError(rs ...*Refusal) error {
	lines := make([]string, len(rs))
	var hints []string
	for i, r := range rs {
		lines[i] = r.Error()
		hints = append(hints, r.Hints...)
	}
	e := exit.Errorf(exit.NoMode, "%s", strings.Join(lines, "; "))
	e.Hints = hints[:min(3, len(hints))]
	return e
}
