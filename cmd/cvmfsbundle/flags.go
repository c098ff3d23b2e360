package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/builder/fetch"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/ui"
)

// program is the name in front of messages.
const program = "cvmfsbundle"

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// parse reads the flags of a command, which may also follow its operands, and
// returns the operands. Their number must be n.
func parse(fs *flag.FlagSet, name, usage string, args []string, stdout io.Writer, n int) ([]string, error) {
	fs.Init(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var operands []string
	for {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, usage)
			return nil, errHelp
		}
		if err != nil {
			return nil, usageError(name, "%w", err)
		}
		if fs.NArg() == 0 {
			break
		}
		rest := fs.Args()
		if used := len(args) - len(rest); used > 0 && args[used-1] == "--" {
			operands = append(operands, rest...)
			break
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
	switch {
	case len(operands) > n:
		return nil, usageError(name, "unexpected argument %q", operands[n])
	case len(operands) < n:
		return nil, usageError(name, "an argument is missing")
	}
	return operands, nil
}

func usageError(command, format string, args ...any) error {
	return exit.Errorf(exit.Usage, format, args...).Hint("cvmfsbundle %s -h explains the command", command)
}

// talk is how a command speaks of its progress.
type talk struct {
	quiet, debug bool
	stderr       io.Writer
	bars         *fetch.Bars // nil: none are drawn
}

func (t *talk) flags(fs *flag.FlagSet) {
	fs.BoolVar(&t.quiet, "q", false, "")
	fs.BoolVar(&t.debug, "debug", false, "")
}

func (t *talk) say(format string, args ...any) {
	switch {
	case t.quiet:
	case t.bars != nil:
		ui.Note(t.bars, program, format, args...)
	default:
		ui.Note(t.stderr, program, format, args...)
	}
}

func (t *talk) log() *slog.Logger {
	if !t.debug {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// progress returns bars for a terminal, and what ends them. Until then messages go by
// way of them.
func (t *talk) progress() (fetch.Progress, func()) {
	f, ok := t.stderr.(*os.File)
	if t.quiet || t.debug || !ok {
		return fetch.Quiet{}, func() {}
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return fetch.Quiet{}, func() {}
	}
	t.bars = fetch.NewBars(f)
	return t.bars, func() {
		t.bars.Close()
		t.bars = nil
	}
}

// epoch reads SOURCE_DATE_EPOCH (reproducible-builds.org); nil when it is not set.
func epoch() (*int64, error) {
	s := os.Getenv("SOURCE_DATE_EPOCH")
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return nil, exit.Errorf(exit.Usage, "SOURCE_DATE_EPOCH=%q is not a number of seconds", s)
	}
	return &n, nil
}
