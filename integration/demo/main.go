// Command demo shows the main job on an example that it makes itself, with no network
// but loopback: a signed repository, its configuration repository and an RPM
// repository; a bundle of them, built by the real builder; and an ordinary user who
// runs that one file and reads /cvmfs.
//
//	demo -cvmfsbundle PATH
//
// Everything it shows is compared with what was published. It ends with nothing left
// running, mounted or on disk, however it ends. As root it becomes an ordinary user for
// the runs. Exit codes: 0, 1 for a mismatch, 130 when interrupted, and where the
// machine does not let a bundle mount the bundle's own code and sentence.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/listtree"
	"github.com/cvmfsbundle/cvmfsbundle/internal/ui"
)

// program is the name in front of messages.
const program = "demo"

const usage = `Usage: demo -cvmfsbundle PATH

Builds an example bundle with the builder at PATH and runs it as an ordinary user.
make demo does both.
`

func main() {
	runtime.LockOSThread() // what we start dies with this thread
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet(program, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	builder := fs.String("cvmfsbundle", "", "")
	list := fs.String("list", "", "") // what the demo runs inside its bundle
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, usage)
		return int(exit.OK)
	case err == nil && *list != "":
		return int(ui.Error(stderr, program, listtree.Write(stdout, *list)))
	case err == nil && (*builder == "" || fs.NArg() > 0):
		err = errors.New("-cvmfsbundle PATH is missing")
	}
	if err != nil {
		return int(ui.Error(stderr, program, exit.Errorf(exit.Usage, "%w", err).Hint("run: make demo")))
	}
	return report(ctx, show(ctx, *builder, stdout), stderr)
}

// report prints an error and returns the exit code. What a bundle or the builder said
// is passed on as it was.
func report(ctx context.Context, err error, stderr io.Writer) int {
	if err != nil && ctx.Err() != nil && !errors.Is(err, errLeft) {
		fmt.Fprintln(stderr)
		ui.Note(stderr, program, "interrupted")
		return int(exit.Interrupted)
	}
	var e *childError
	if errors.As(err, &e) {
		io.WriteString(stderr, e.said)
	}
	return int(ui.Error(stderr, program, err))
}

// show does everything, and takes everything away.
func show(ctx context.Context, builder string, stdout io.Writer) (err error) {
	d, err := newDemo(stdout)
	if err != nil {
		return err
	}
	defer func() {
		cerr := d.clean()
		if err == nil && cerr == nil {
			d.say("clean", "no process, no mount and no file is left")
		}
		err = errors.Join(err, cerr)
	}()
	for _, step := range []func(context.Context) error{d.publish, d.packages, d.build(builder), d.handOver, d.firstStart, d.readFile, d.tampered, d.wholeTree, d.exitCode} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}
