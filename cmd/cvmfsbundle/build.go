package main

import (
	"context"
	"flag"
	"io"

	"github.com/cvmfsbundle/cvmfsbundle/builder"
)

const sourceUsage = `Options:
  -profile NAME     what to build: cvmfsbundle profiles lists them (required)
  -o PATH           where to (required)
  -machine TYPE     machine type, rhel9-x86_64 for instance; default: this machine's
  -client WHICH     rpm (upstream's client) or builtin; default: the profile's
  -version X.Y.Z    of cvmfs; default: the one the profile's repository has
  -mirror FROM=TO   replaces the beginning of repository URLs; may be repeated.
                    CVMFSBUNDLE_MIRRORS holds more, separated by blanks
  -local FILE       text to append to etc/cvmfs/default.local; may be repeated
  -set KEY=VALUE    a setting to append to it, after -local; may be repeated
  -profiles FILE    a file with profiles of your own; may be repeated
  -q                say nothing but errors
  -debug            log what is done
`

const buildUsage = `Usage: cvmfsbundle build -profile NAME -o FILE [OPTION ...]

Makes a bundle from RPM repositories: resolves and fetches the profile's packages,
verifies them, lays out the tree and packs it behind the stub.

` + sourceUsage + `
Example:
  cvmfsbundle build -profile osg -set CVMFS_QUOTA_LIMIT=2000 -o cvmfsexec
`

const distUsage = `Usage: cvmfsbundle dist -profile NAME -o DIR [OPTION ...]

Makes the tree that goes into a bundle, to be edited before it is packed. DIR must
not exist.

` + sourceUsage + `
Example:
  cvmfsbundle dist -profile osg -o dist
  vi dist/etc/cvmfs/default.local
  cvmfsbundle pack dist -o cvmfsexec
`

func runBuild(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return runSource(ctx, "build", buildUsage, builder.Build, args, stdout, stderr)
}

func runDist(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return runSource(ctx, "dist", distUsage, builder.Dist, args, stdout, stderr)
}

func runSource(ctx context.Context, name, usage string, do func(context.Context, builder.Options) error, args []string, stdout, stderr io.Writer) error {
	var s source
	s.talk.stderr = stderr
	fs := new(flag.FlagSet)
	s.flags(fs)
	if _, err := parse(fs, name, usage, args, stdout, 0); err != nil {
		return err
	}
	o, err := s.options(name)
	if err != nil {
		return err
	}
	var done func()
	o.Fetch.Progress, done = s.talk.progress()
	err = do(ctx, o)
	done()
	if err == nil {
		s.talk.say("wrote %s", s.output)
	}
	return err
}
