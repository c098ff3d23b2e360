package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cvmfsbundle/cvmfsbundle/builder"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/internal/version"
)

const packUsage = `Usage: cvmfsbundle pack DIR -o FILE [-q] [-debug]

Makes a bundle from a tree that cvmfsbundle dist, or makedist, has made.

Example:
  cvmfsbundle pack dist -o cvmfsexec
`

const inspectUsage = `Usage: cvmfsbundle inspect FILE

Prints the description of a bundle as JSON: its ID, profile, packages, files. What
it prints has been held against the ID; the content has not (see verify).

Example:
  cvmfsbundle inspect cvmfsexec | jq .manifest.packages
`

const verifyUsage = `Usage: cvmfsbundle verify FILE

Checks every byte of a bundle against its description and prints its ID.

Example:
  cvmfsbundle verify cvmfsexec
`

const versionUsage = `Usage: cvmfsbundle version

Prints the version.

Example:
  cvmfsbundle version
`

func runPack(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	t := talk{stderr: stderr}
	var output string
	fs := new(flag.FlagSet)
	fs.StringVar(&output, "o", "", "")
	t.flags(fs)
	operands, err := parse(fs, "pack", packUsage, args, stdout, 1)
	if err != nil {
		return err
	}
	if output == "" {
		return usageError("pack", "-o is missing")
	}
	path, err := filepath.Abs(output)
	if err != nil {
		return err
	}
	e, err := epoch()
	if err != nil {
		return err
	}
	if err := builder.Pack(ctx, builder.PackOptions{Dist: operands[0], Output: path, Epoch: e, Say: t.say}); err != nil {
		return err
	}
	t.say("wrote %s", output)
	return nil
}

func runInspect(_ context.Context, args []string, stdout, _ io.Writer) error {
	return withBundle("inspect", inspectUsage, args, stdout, func(b *payload.Bundle) error {
		e := json.NewEncoder(stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return exit.Wrap(exit.Output, e.Encode(struct {
			ID       payload.ID        `json:"id"`
			Manifest *payload.Manifest `json:"manifest"`
		}{b.ID(), b.Manifest}))
	})
}

func runVerify(ctx context.Context, args []string, stdout, _ io.Writer) error {
	return withBundle("verify", verifyUsage, args, stdout, func(b *payload.Bundle) error {
		if err := b.Verify(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintln(stdout, b.ID())
		return exit.Wrap(exit.Output, err)
	})
}

// withBundle opens the bundle that is the command's only argument.
func withBundle(name, usage string, args []string, stdout io.Writer, use func(*payload.Bundle) error) error {
	operands, err := parse(new(flag.FlagSet), name, usage, args, stdout, 1)
	if err != nil {
		return err
	}
	f, err := os.Open(operands[0])
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := payload.Open(f, fi.Size())
	if err == nil {
		err = use(b)
	}
	if err != nil {
		return fmt.Errorf("%q: %w", operands[0], err)
	}
	return nil
}

func runVersion(_ context.Context, args []string, stdout, _ io.Writer) error {
	if _, err := parse(new(flag.FlagSet), "version", versionUsage, args, stdout, 0); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "cvmfsbundle %s\n", version.Version)
	return exit.Wrap(exit.Output, err)
}
