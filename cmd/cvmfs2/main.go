// Command cvmfs2 mounts a CVMFS repository, read-only. It is the built-in client, a
// drop-in for upstream's command of that name.
//
//	cvmfs2 [-o config=FILE[,option...]] [-f] REPOSITORY MOUNTPOINT
//
// See cvmfs2 -h for the options and package mount for messages and exit codes:
// failures of trust end with 15, a root catalog that cannot be had with 16.
package main

import (
	"context"
	"io"
	"os"

	"github.com/cvmfsbundle/cvmfsbundle/client/mount"
)

func main() { os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return int(mount.Run(ctx, args, stdout, stderr))
}
