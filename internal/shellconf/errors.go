package shellconf

import (
	"errors"
	"fmt"
)

// Errors that callers branch on; each comes wrapped in an [*Error] and carries
// exit.Config.
var (
	// ErrRefused: the file uses something that configuration may not use.
	ErrRefused = errors.New("not allowed in configuration")
	// ErrLimit: the evaluation took more time, memory or files than it may.
	ErrLimit = errors.New("limit exceeded")
	// ErrOutside: a file outside the roots was to be read.
	ErrOutside = errors.New("outside the configuration directories")
	// ErrSyntax: the file is not a shell script.
	ErrSyntax = errors.New("syntax error")
)

// An Error is a failure at a place in a configuration file.
type Error struct {
	File string // real path
	Line int    // from 1; 0 when the file as a whole is meant
	Err  error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// A Warning is something in a configuration file that was ignored.
type Warning struct {
	File string // real path
	Line int
	Text string
}

func (w Warning) String() string { return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Text) }

func refuse(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrRefused)
}

func limit(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrLimit)
}

// What a loop of ignored assignments can pile up.
const (
	maxWarnings = 64
	maxWarning  = 400 // bytes of one
)

func (e *Evaluator) warn(format string, args ...any) {
	if len(e.warnings) >= maxWarnings {
		return
	}
	text := fmt.Sprintf(format, args...)
	if len(text) > maxWarning {
		text = text[:maxWarning] + "..."
	}
	e.warnings = append(e.warnings, Warning{File: e.at.name, Line: e.line, Text: text})
}
