// Package builder makes bundles and their dist trees from RPM repositories.
//
// The steps, each a package of its own: a profile says what is wanted (profiles),
// the repositories' metadata says what there is (builder/yum), packages are fetched
// and verified (builder/fetch), opened (builder/rpmfile), laid out as a tree
// (builder/dist) and packed behind a stub (builder/pack, builder/embedded).
//
// Nothing half-made is ever seen under the output's name: everything happens in a
// directory of its own beside it, removed at the end, and the output appears by a
// rename. What a killed build leaves is that directory, which a later one removes.
package builder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/cvmfsbundle/cvmfsbundle/builder/dist"
	"github.com/cvmfsbundle/cvmfsbundle/builder/embedded"
	"github.com/cvmfsbundle/cvmfsbundle/builder/fetch"
	"github.com/cvmfsbundle/cvmfsbundle/builder/rpmfile"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// parallel is how many packages are fetched at once.
const parallel = 6

// Options say what to build.
type Options struct {
	Choice  *profiles.Choice  // profile, machine type and client
	Version string            // of cvmfs: VERSION or VERSION-RELEASE; "" is the profile's choice
	Mirrors []profiles.Mirror // replace base URLs
	Local   []string          // texts appended to default.local
	Set     []string          // KEY=VALUE, appended last

	Output string // path of the tree or bundle
	Fetch  fetch.Options
	Epoch  *int64                           // SOURCE_DATE_EPOCH; nil: the newest build time of the packages
	Say    func(format string, args ...any) // told of each stage; may be nil
	Log    *slog.Logger                     // may be nil
}

func (o Options) say(format string, args ...any) {
	if o.Say != nil {
		o.Say(format, args...)
	}
}

// Dist makes the tree at o.Output, which must not exist. Errors carry an exit code.
func Dist(ctx context.Context, o Options) error {
	if _, err := os.Lstat(o.Output); err == nil {
		return exit.Errorf(exit.Output, "%q exists already", o.Output).Hint("remove it, or name another directory with -o")
	}
	return inside(o.Output, func(tmp string) error {
		tree := filepath.Join(tmp, "dist")
		if _, err := lay(ctx, o, tmp, tree); err != nil {
			return err
		}
		if err := os.Rename(tree, o.Output); err != nil {
			return exit.Wrap(exit.Output, err)
		}
		return nil
	})
}

// A laid is what is known of a tree after it was made.
type laid struct {
	packages []payload.Package
	client   string // version
	epoch    int64
}

// lay resolves, fetches and unpacks. Downloads go to tmp, the tree to tree.
func lay(ctx context.Context, o Options, tmp, tree string) (laid, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var program []byte
	if o.Choice.Client == profiles.Builtin {
		var err error
		if program, err = embedded.Client(o.Choice.Machine.GOARCH()); err != nil {
			return laid{}, err
		}
	}
	c := fetch.New(o.Fetch)
	defer c.Close()
	r := &resolver{client: c, choice: o.Choice, mirrors: o.Mirrors, version: o.Version, dir: tmp, log: o.Log}
	o.say("profile %s, machine type %s, client %s: reading repositories", o.Choice.Profile.Name, o.Choice.Machine.Name, o.Choice.Client)
	picks, err := r.resolve(ctx)
	if err != nil {
		return laid{}, err
	}
	packages, rpms, err := download(ctx, c, o, picks, tmp)
	defer func() {
		for _, p := range rpms {
			if p != nil {
				p.Close()
			}
		}
	}()
	if err != nil {
		return laid{}, err
	}
	o.say("unpacking %d packages", len(rpms))
	if err := errors.Join(os.Mkdir(tree, 0o755), os.Chmod(tree, 0o755)); err != nil { // whatever the umask is
		return laid{}, exit.Wrap(exit.Output, err)
	}
	err = dist.Lay(ctx, tree, dist.Options{
		Machine: o.Choice.Machine, Client: o.Choice.Client, Program: program, RPMs: rpms,
		Local: o.Choice.Profile.Local, Append: o.Local, Set: o.Set,
	})
	if err != nil {
		return laid{}, err
	}
	return sumUp(o, packages, rpms), nil
}

// download fetches and opens the packages, in parallel.
func download(ctx context.Context, c *fetch.Client, o Options, picks []pick, dir string) ([]payload.Package, []*rpmfile.Package, error) {
	var bytes int64
	for _, p := range picks {
		bytes += p.Size
	}
	if len(picks) > 0 {
		o.say("fetching %d packages, %.1f MB", len(picks), float64(bytes)/1e6)
	}
	packages, rpms := make([]payload.Package, len(picks)), make([]*rpmfile.Package, len(picks))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, p := range picks {
		g.Go(func() error {
			path := filepath.Join(dir, fmt.Sprintf("%d.rpm", i))
			from, sum, err := c.File(ctx, fetch.File{
				Name: p.NEVRA(), URLs: p.urls, Size: p.Size,
				Type: p.Checksum.Type, Hex: p.Checksum.Hex, Hash: p.Checksum.New,
			}, path)
			if err != nil {
				return fmt.Errorf("package %s: %w", p.NEVRA(), err)
			}
			packages[i] = payload.Package{NEVRA: p.NEVRA(), URL: from, SHA256: sum}
			rpms[i], err = openPackage(path, p)
			return err
		})
	}
	return packages, rpms, g.Wait()
}

// openPackage opens a fetched package and checks that it is the one that the
// metadata announced.
func openPackage(path string, p pick) (*rpmfile.Package, error) {
	f, err := rpmfile.Open(path)
	if err != nil {
		code := exit.Output
		if errors.Is(err, rpmfile.ErrDigest) || errors.Is(err, rpmfile.ErrFormat) {
			code = exit.Digest
		}
		return nil, exit.Wrap(code, fmt.Errorf("package %s: %w", p.NEVRA(), err))
	}
	if f.NEVRA() != p.NEVRA() {
		f.Close()
		return nil, exit.Errorf(exit.Digest, "package %s: the file is package %q", p.NEVRA(), f.NEVRA())
	}
	return f, nil
}

func sumUp(o Options, packages []payload.Package, rpms []*rpmfile.Package) laid {
	l := laid{packages: packages}
	for _, p := range rpms {
		if p.Name == "cvmfs" {
			l.client = p.EVR.Version
		}
		l.epoch = max(l.epoch, p.BuildTime())
	}
	if o.Epoch != nil {
		l.epoch = *o.Epoch
	}
	return l
}
