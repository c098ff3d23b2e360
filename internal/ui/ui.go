// Package ui writes what people read on standard error. Nothing else in the
// project prints there.
//
// The rules: standard output carries data only; every message is one line that
// begins with the program's name and, for an error, "error:"; lower case, no full
// stop; up to three "hint:" lines say what to do. Escape sequences and other
// control characters inside a message (they come from file names, servers and
// archives) are quoted.
package ui

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// Error writes err and its hints in the name of program and returns the exit
// code that err carries. A nil err writes nothing.
func Error(w io.Writer, program string, err error) exit.Code {
	if err == nil {
		return exit.OK
	}
	fmt.Fprintf(w, "%s: error: %s\n", program, Line(err.Error()))
	for _, h := range exit.HintsOf(err) {
		fmt.Fprintf(w, "%s: hint: %s\n", program, Line(h))
	}
	return exit.CodeOf(err)
}

// Warn writes one warning line.
func Warn(w io.Writer, program, format string, args ...any) {
	fmt.Fprintf(w, "%s: warning: %s\n", program, Line(fmt.Sprintf(format, args...)))
}

// Note writes one line that is neither error nor warning.
func Note(w io.Writer, program, format string, args ...any) {
	fmt.Fprintf(w, "%s: %s\n", program, Line(fmt.Sprintf(format, args...)))
}

// Line makes s safe to print as one line: line breaks become "; ", other control
// characters and invalid bytes are written as \x escapes.
func Line(s string) string {
	s = strings.TrimRight(s, "\r\n")
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\n':
			b.WriteString("; ")
		case r == unicode.ReplacementChar || unicode.IsControl(r):
			fmt.Fprintf(&b, "\\x%02x", s[i])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func bad(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }
