// Package dist lays out the tree of a bundle, as makedist of cvmfsexec does:
// packages unpacked into one directory, links made relative, and a few files of its
// own.
//
//	usr/bin/cvmfs2            the client, upstream's or the built-in one
//	etc/cvmfs/default.conf    its defaults
//	etc/cvmfs/default.local   the profile's settings, then those of the caller
//	etc/os-release            ID_LIKE and VERSION_ID: some configurations read it
//	.cvmfsexecdist            disttype, machtype and client
//
// Upstream's authorization helpers (usr/libexec/cvmfs/authz) stay as their packages
// have them. makedist puts a bash script before each, which sets the library path;
// here whoever starts the client does that: it sets CVMFS_AUTHZ_LD_LIBRARY_PATH to
// the dist's usr/lib64 and usr/lib, and cvmfs2 hands every CVMFS_AUTHZ_ setting to
// its helper without that prefix (CVMFS client, authz/authz_fetch.cc).
package dist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/builder/rpmfile"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// Options say what goes into a tree.
type Options struct {
	Machine profiles.Machine
	Client  profiles.Client
	Program []byte             // the built-in client; nil with upstream's
	RPMs    []*rpmfile.Package // in the order they are unpacked
	Local   string             // etc/cvmfs/default.local as the profile has it
	Append  []string           // texts appended to it, in order
	Set     []string           // KEY=VALUE, appended last
}

// Lay makes the tree in dir, an empty directory. On an error the tree is of no use;
// the caller removes it. Errors carry an exit code.
func Lay(ctx context.Context, dir string, o Options) error {
	local, err := localConf(o.Local, o.Append, o.Set)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return exit.Wrap(exit.Output, err)
	}
	defer root.Close()
	for _, p := range o.RPMs {
		p.Prepare()
	}
	for _, p := range o.RPMs {
		if _, err := p.Extract(ctx, root, buildID); err != nil {
			return unpackError(p, err)
		}
	}
	if err := fixLinks(root); err != nil {
		return err
	}
	if err := writeOwn(root, local, o); err != nil {
		return exit.Wrap(exit.Output, err)
	}
	return check(root, o.Machine)
}

// buildID is true for what rpm adds for debuggers, links to nothing in the tree.
func buildID(path string) bool { return strings.Contains("/"+path+"/", "/.build-id/") }

func unpackError(p *rpmfile.Package, err error) error {
	err = fmt.Errorf("unpack %s: %w", p.NEVRA(), err)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, rpmfile.ErrHostile), errors.Is(err, rpmfile.ErrFormat):
		return exit.Wrap(exit.Digest, err)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return exit.Wrap(exit.Output, err)
	}
	return exit.Wrap(exit.Digest, err)
}
