package options

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrUsage is matched by every error about the command line or a value that cannot
// be used; cvmfs2 ends with exit code 2 (illegal options) on it.
var ErrUsage = errors.New("illegal options")

// usageError matches ErrUsage and says only what is wrong.
type usageError struct{ err error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func (e *usageError) Error() string        { return e.err.Error() }
func (e *usageError) Unwrap() error        { return e.err }
func (e *usageError) Is(target error) bool { return target == ErrUsage }

// Command is a parsed command line. Its zero value asks for nothing; a command
// from [ParseArgs] names a repository and a mount point unless Help or Version is
// set.
type Command struct {
	Repository string   // fully qualified repository name
	MountPoint string   // as given, see [Command.FD]
	Config     []string // files of -o config=A:B in order; nil means the default files

	Foreground     bool // -f: do not daemonise
	SingleThreaded bool // -s: one request at a time
	FuseDebug      bool // -d, -o fuse_debug: print every FUSE request
	Debug          bool // -o debug
	ParseOnly      bool // -k, -o parse: print the parameters and end
	Simple         bool // -o simple_options_parsing: the files are literal
	Help           bool // -h
	Version        bool // -V

	SystemMount    bool // -o system_mount: raising CVMFS_NFILES must succeed
	GrabMountPoint bool // -o grab_mountpoint: take ownership of the mount point
	Suid           bool // -o cvmfs_suid: honour setuid bits (root only)
	NoWatchdog     bool // -o disable_watchdog; there is none, so it changes nothing
	UID, GID       int  // -o uid=N, gid=N: run as this user; -1 means unchanged

	Fuse []string // the remaining -o words, checked, for the mount itself
}

// ParseArgs reads the arguments after the program's name as libfuse's option
// parser does: -o takes a comma separated list and may be repeated, options and
// positional arguments may be mixed, "--" ends the options. Errors wrap
// [ErrUsage].
func ParseArgs(args []string) (*Command, error) {
	c := &Command{UID: -1, GID: -1}
	if len(args) > 0 && strings.HasPrefix(args[0], "__") {
		return nil, usagef("the internal command %q of upstream's client does not exist here", args[0])
	}
	var words []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			words = append(words, args[i+1:]...)
			i = len(args)
		case a == "-o":
			i++
			if i == len(args) {
				return nil, usagef("missing argument after -o")
			}
			if err := c.list(args[i]); err != nil {
				return nil, err
			}
		case strings.HasPrefix(a, "-o"):
			if err := c.list(a[2:]); err != nil {
				return nil, err
			}
		case len(a) > 1 && a[0] == '-':
			if !c.flag(a) {
				return nil, usagef("unknown option %q", a)
			}
		default:
			words = append(words, a)
		}
	}
	if c.Help || c.Version {
		return c, nil
	}
	return c, c.positional(words)
}

func (c *Command) flag(a string) bool {
	switch a {
	case "-f":
		c.Foreground = true
	case "-d":
		c.FuseDebug, c.Debug = true, true
	case "-s":
		c.SingleThreaded = true
	case "-k":
		c.ParseOnly = true
	case "-h", "--help":
		c.Help = true
	case "-V", "--version":
		c.Version = true
	default:
		return false
	}
	return true
}

func (c *Command) positional(words []string) error {
	if len(words) < 2 && !(c.ParseOnly && len(words) == 1) {
		return usagef("a repository and a mount point are needed")
	}
	if len(words) > 2 {
		return usagef("superfluous argument %q", words[2])
	}
	if err := checkRepository(words[0]); err != nil {
		return err
	}
	c.Repository = words[0]
	if len(words) == 2 {
		c.MountPoint = words[1]
	}
	if c.MountPoint == "" && !c.ParseOnly {
		return usagef("the mount point is empty")
	}
	return nil
}

// checkRepository accepts the names of CVMFS (cvmfs/sanitizer.h,
// RepositorySanitizer), of which a dot must be inside: the domain is what follows
// the first.
func checkRepository(name string) error {
	bad := strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	})
	label, domain, _ := strings.Cut(name, ".")
	switch {
	case name == "" || len(name) > 60 || bad >= 0:
		return usagef("%q is not a repository name", name)
	case label == "" || domain == "":
		return usagef("repository name %q has no domain", name)
	}
	return nil
}

// FD returns the descriptor number of a mount point of the form /dev/fd/N, which
// means that the caller has mounted already and N is the /dev/fuse descriptor,
// and -1 for a directory.
func (c *Command) FD() int {
	digits, ok := strings.CutPrefix(c.MountPoint, "/dev/fd/")
	if !ok {
		return -1
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || digits[0] == '+' {
		return -1
	}
	return n
}
