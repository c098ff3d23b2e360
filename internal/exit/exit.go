// Package exit holds the exit codes of the programs and the error type that
// carries one from where a failure is understood to the single place that ends
// the process.
//
// The numbers are an interface for scripts: docs/exit-codes.md publishes them, a
// test keeps page and constants equal, and a number is never given a second
// meaning. The drop-in names keep the codes of the tools they replace (cvmfs2:
// upstream's numbers, see [Cvmfs2]); everything else uses these.
package exit

import (
	"errors"
	"fmt"
)

// Code is a process exit status.
type Code int

// Codes of cvmfsbundle and of the runtime before the command has started.
const (
	OK           Code = 0  // success
	Unclassified Code = 1  // a failure that has no number of its own; usage, for the drop-in names
	GoPanic      Code = 2  // reserved: the Go runtime's own code for a panic
	Usage        Code = 3  // the command line is wrong
	Config       Code = 10 // a profile or configuration file is wrong
	Unreachable  Code = 11 // yum metadata or packages cannot be fetched
	Unresolved   Code = 12 // a package that the profile asks for is not in the repositories
	Digest       Code = 13 // a signature or checksum does not match
	Output       Code = 14 // the output cannot be written
	NoMode       Code = 20 // none of the mount modes works on this machine
	Mount        Code = 21 // a repository could not be mounted
	Trust        Code = 22 // manifest, whitelist, certificate or key was refused
	NoServer     Code = 23 // no server or proxy could be reached
	Cache        Code = 24 // the cache or workspace cannot be used
	Unmount      Code = 25 // a mount is busy or could not be removed
	Corrupt      Code = 30 // the bundle's payload is damaged
	CannotExec   Code = 126
	NotFound     Code = 127
	Interrupted  Code = 130
)

// Error is an error that knows the exit code of the program it ends and what
// its user can do about it. Its text is that of Err.
type Error struct {
	Code  Code
	Err   error
	Hints []string // at most three, each a command, a setting or a place to look
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an *Error with code c; the text is formatted as by [fmt.Errorf],
// so %w wraps.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Err: fmt.Errorf(format, args...)}
}

// Wrap gives err the code c unless it already carries one; nil stays nil.
func Wrap(c Code, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Code: c, Err: err}
}

// Hint returns e with one more hint.
func (e *Error) Hint(format string, args ...any) *Error {
	e.Hints = append(e.Hints, fmt.Sprintf(format, args...))
	return e
}

// CodeOf returns the code that err carries, [OK] for nil and [Unclassified] for
// an error that carries none.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Unclassified
}

// HintsOf returns the hints that err carries.
func HintsOf(err error) []string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hints
	}
	return nil
}
