// Package cmdline reads the command line of cvmfsexec:
//
//	cvmfsexec [-vN] [-m image] [--long-option ...] [repo ...] -- [command [argument ...]]
//
// Short options are those of the original and bundle as getopts does. What was added
// since are long options, never words: words are repository names.
package cmdline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Line is a parsed command line.
type Line struct {
	Version    bool     // -v, --version
	Help       bool     // -h, --help
	NoNested   bool     // -N: no nested mount requests
	Image      string   // -m: an ext2/3/4 image for /e2fs
	Mode       int      // --mode, 0: auto
	Set        []string // --set KEY=VALUE, in order
	StatusFile string   // --status-file
	ShowConfig string   // --showconfig REPO
	Where      bool     // --where
	Debug      bool     // --debug
	Repos      []string // each once, in the order given
	Command    []string // after --; empty: the user's shell
}

// ErrUsage is wrapped by every error of [Parse].
var ErrUsage = errors.New("usage")

func usage(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Unwrap() error { return ErrUsage }

// Parse reads args, the command line without the program's name. Errors wrap
// [ErrUsage].
func Parse(args []string) (*Line, error) {
	l := new(Line)
	rest, err := l.options(args)
	if err != nil {
		return nil, err
	}
	if l.Version || l.Help || l.Where || l.ShowConfig != "" {
		if len(rest) > 0 && rest[0] != "--" {
			return nil, usage("unexpected argument %q", rest[0])
		}
		return l, nil
	}
	seen := map[string]bool{}
	for i, a := range rest {
		if a == "--" {
			l.Command = rest[i+1:]
			return l, nil
		}
		if strings.HasPrefix(a, "-") {
			return nil, usage("option %q must stand before the repository names", a)
		}
		if !seen[a] {
			seen[a] = true
			l.Repos = append(l.Repos, a)
		}
	}
	return nil, usage("-- is missing: it stands between the repository names and the command")
}

// options reads options up to the first word or --.
func (l *Line) options(args []string) ([]string, error) {
	for len(args) > 0 {
		a := args[0]
		if a == "--" || a == "-" || !strings.HasPrefix(a, "-") {
			break
		}
		args = args[1:]
		var err error
		if strings.HasPrefix(a, "--") {
			args, err = l.long(a, args)
		} else {
			args, err = l.short(a[1:], args)
		}
		if err != nil {
			return nil, err
		}
	}
	return args, nil
}

// short reads a bundle of one-letter options; the value of m is the rest of the bundle
// or the next argument.
func (l *Line) short(bundle string, args []string) ([]string, error) {
	for i, c := range bundle {
		switch c {
		case 'v':
			l.Version = true
		case 'h':
			l.Help = true
		case 'N':
			l.NoNested = true
		case 'm':
			if l.Image = bundle[i+1:]; l.Image != "" {
				return args, nil
			}
			if len(args) == 0 {
				return nil, usage("option -m needs an image file")
			}
			l.Image = args[0]
			return args[1:], nil
		default:
			return nil, usage("unknown option -%c", c)
		}
	}
	return args, nil
}

// long reads one long option, --name, --name VALUE or --name=VALUE.
func (l *Line) long(a string, args []string) ([]string, error) {
	name, value, has := strings.Cut(a[2:], "=")
	flag := map[string]*bool{"version": &l.Version, "help": &l.Help, "where": &l.Where, "debug": &l.Debug}[name]
	if flag != nil {
		if has {
			return nil, usage("option --%s takes no value", name)
		}
		*flag = true
		return args, nil
	}
	switch name {
	case "set", "mode", "status-file", "showconfig":
	default:
		return nil, usage("unknown option --%s", name)
	}
	if !has {
		if len(args) == 0 {
			return nil, usage("option --%s needs a value", name)
		}
		value, args = args[0], args[1:]
	}
	switch name {
	case "set":
		if key, _, ok := strings.Cut(value, "="); !ok || key == "" {
			return nil, usage("--set %q is not KEY=VALUE", value)
		}
		l.Set = append(l.Set, value)
	case "mode":
		n, err := strconv.Atoi(value)
		if value == "auto" {
			n, err = 0, nil
		}
		if err != nil || n < 0 || n > 4 {
			return nil, usage("--mode %q is not auto, 1, 2, 3 or 4", value)
		}
		l.Mode = n
	case "status-file":
		l.StatusFile = value
	case "showconfig":
		l.ShowConfig = value
	}
	return args, nil
}
