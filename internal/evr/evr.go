// Package evr orders package versions as rpm does.
//
// An EVR is epoch, version and release. The order of version and release strings
// is that of rpm's rpmvercmp (rpm, rpmio/rpmvercmp.c): strings are cut into runs of
// digits and runs of letters, everything else only separates; a tilde sorts before
// the end of the string, a caret after it but before anything else.
package evr

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// An EVR is what rpm compares of two packages of one name. The zero value is older
// than everything else.
type EVR struct {
	Epoch   uint32
	Version string
	Release string
}

// Parse reads "[EPOCH:]VERSION[-RELEASE]".
func Parse(s string) (EVR, error) {
	var e EVR
	rest := s
	if epoch, after, ok := strings.Cut(s, ":"); ok {
		n, err := strconv.ParseUint(epoch, 10, 32)
		if err != nil {
			return EVR{}, fmt.Errorf("epoch of %q is not a number", s)
		}
		e.Epoch, rest = uint32(n), after
	}
	e.Version = rest
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		e.Version, e.Release = rest[:i], rest[i+1:]
	}
	if e.Version == "" {
		return EVR{}, fmt.Errorf("no version in %q", s)
	}
	return e, nil
}

// String is the inverse of [Parse]; epoch 0 is left out.
func (e EVR) String() string {
	s := e.Version
	if e.Release != "" {
		s += "-" + e.Release
	}
	if e.Epoch != 0 {
		s = strconv.FormatUint(uint64(e.Epoch), 10) + ":" + s
	}
	return s
}

// Compare returns -1, 0 or 1 as e is older than, as old as or newer than o.
func (e EVR) Compare(o EVR) int {
	if c := cmp.Compare(e.Epoch, o.Epoch); c != 0 {
		return c
	}
	if c := CompareVersions(e.Version, o.Version); c != 0 {
		return c
	}
	return CompareVersions(e.Release, o.Release)
}

// CompareVersions compares two version strings, or two release strings.
func CompareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, separator), strings.TrimLeftFunc(b, separator)
		if c, done := comparePrefix(a, b); done {
			return c
		}
		if c := a[0]; c == '~' || c == '^' {
			a, b = a[1:], b[1:]
			continue
		}
		kind := letter
		if digit(rune(a[0])) {
			kind = digit
		}
		var ra, rb string
		ra, a = run(a, kind)
		rb, b = run(b, kind)
		if c := compareRuns(ra, rb, digit(rune(ra[0]))); c != 0 {
			return c
		}
	}
}

// comparePrefix decides by tildes, carets and the ends of the strings. Undecided,
// both strings begin with the same mark or with runs.
func comparePrefix(a, b string) (order int, done bool) {
	for _, mark := range "~^" {
		ma, mb := strings.HasPrefix(a, string(mark)), strings.HasPrefix(b, string(mark))
		switch {
		case ma && mb:
			return 0, false
		case !ma && !mb:
			continue
		case mark == '^' && a == "": // the end is older than a caret
			return -1, true
		case mark == '^' && b == "":
			return 1, true
		case ma:
			return -1, true
		default:
			return 1, true
		}
	}
	switch {
	case a == "" && b == "":
		return 0, true
	case a == "":
		return -1, true
	case b == "":
		return 1, true
	}
	return 0, false
}

// compareRuns compares a run that is not empty with one of the same kind, which is
// empty when b goes on with the other kind: numbers are newer than letters.
func compareRuns(a, b string, numbers bool) int {
	if b == "" {
		if numbers {
			return 1
		}
		return -1
	}
	if numbers {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if c := cmp.Compare(len(a), len(b)); c != 0 {
			return c
		}
	}
	return strings.Compare(a, b)
}

func run(s string, kind func(rune) bool) (head, tail string) {
	i := 0
	for i < len(s) && kind(rune(s[i])) {
		i++
	}
	return s[:i], s[i:]
}

func digit(r rune) bool  { return r >= '0' && r <= '9' }
func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func separator(r rune) bool { return !digit(r) && !letter(r) && r != '~' && r != '^' }
