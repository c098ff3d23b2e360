// Command cvmfsbundle makes bundles: single files that give an ordinary user /cvmfs.
//
// Messages go to standard error, data to standard output; docs/exit-codes.md lists
// the exit codes. A signal ends it cleanly: nothing half-made stays behind.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/ui"
)

const usage = `Usage: cvmfsbundle COMMAND [OPTION ...]

Makes one file that gives an ordinary user /cvmfs.

Commands:
  build      make a bundle from RPM repositories
  dist       make only the tree that goes into a bundle
  pack       make a bundle from such a tree
  profiles   list what there is to build from
  inspect    print what a bundle holds, as JSON
  verify     check every byte of a bundle
  version    print the version

cvmfsbundle COMMAND -h explains a command.

Example:
  cvmfsbundle build -profile osg -o cvmfsexec
  ./cvmfsexec cms.cern.ch -- ls /cvmfs/cms.cern.ch
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A command runs with the arguments after its name.
type command func(ctx context.Context, args []string, stdout, stderr io.Writer) error

func commands() map[string]command {
	return map[string]command{
		"build": runBuild, "dist": runDist, "pack": runPack, "profiles": runProfiles,
		"inspect": runInspect, "verify": runVerify, "version": runVersion,
	}
}

// errHelp ends a command whose usage was asked for and printed.
var errHelp = errors.New("help")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		return report(stderr, exit.Errorf(exit.Usage, "no command given").Hint("cvmfsbundle -h lists the commands"))
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		fmt.Fprint(stdout, usage)
		return 0
	case "-version", "--version":
		args[0] = "version"
	}
	cmd, ok := commands()[args[0]]
	if !ok {
		return report(stderr, exit.Errorf(exit.Usage, "there is no command %q", args[0]).Hint("cvmfsbundle -h lists the commands"))
	}
	err := cmd(ctx, args[1:], stdout, stderr)
	if ctx.Err() != nil && err != nil {
		err = exit.Errorf(exit.Interrupted, "interrupted")
	}
	return report(stderr, err)
}

func report(stderr io.Writer, err error) int {
	if errors.Is(err, errHelp) {
		return 0
	}
	return int(ui.Error(stderr, program, err))
}
