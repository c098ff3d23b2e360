package builder

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/builder/fetch"
	"github.com/cvmfsbundle/cvmfsbundle/builder/yum"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// A pick is a package that has been chosen, with where it is.
type pick struct {
	yum.Package
	urls []string
}

// resolver chooses packages for one build.
type resolver struct {
	client  *fetch.Client
	choice  *profiles.Choice
	mirrors []profiles.Mirror
	version string // wanted by the caller, or ""
	dir     string // for metadata
	log     *slog.Logger

	names []string               // of packages worth keeping
	repos map[string]*repository // loaded, by ID
}

// resolve chooses the profile's packages.
func (r *resolver) resolve(ctx context.Context) ([]pick, error) {
	r.repos = map[string]*repository{}
	for _, p := range r.choice.Profile.Packages {
		r.names = append(r.names, p.Name)
	}
	var client yum.Package
	if r.choice.Client == profiles.RPM {
		var err error
		if client, err = r.resolveClient(ctx); err != nil {
			return nil, err
		}
	}
	wanted, err := r.choice.Packages(client.EVR.Version)
	if err != nil {
		return nil, exit.Wrap(exit.Config, err)
	}
	var ids []string
	for _, w := range wanted {
		ids = append(ids, w.Repository)
	}
	if err := r.load(ctx, ids...); err != nil {
		return nil, err
	}
	var picks []pick
	for _, w := range wanted {
		version := ""
		if w.Lockstep || w.Name == "cvmfs" {
			version = client.EVR.Version + "-" + client.EVR.Release
		}
		p, err := r.pick(w.Name, w.Repository, version)
		if err != nil {
			return nil, err
		}
		picks = append(picks, p)
	}
	return picks, nil
}

// resolveClient chooses the package cvmfs: the version the caller wants, else the one
// that the profile's own repository carries, else the newest.
func (r *resolver) resolveClient(ctx context.Context) (yum.Package, error) {
	i := slices.IndexFunc(r.choice.Profile.Packages, func(p profiles.Package) bool { return p.Name == "cvmfs" })
	if i < 0 {
		return yum.Package{}, exit.Errorf(exit.Config, "profile %q has no package cvmfs", r.choice.Profile.Name).
			Hint("take the built-in client: -client builtin")
	}
	from := r.choice.Profile.Packages[i].Repository
	version := r.version
	if version == "" {
		id, err := r.choice.VersionFrom()
		if err != nil {
			return yum.Package{}, exit.Wrap(exit.Config, err)
		}
		if id != "" {
			if err := r.load(ctx, id, from); err != nil {
				return yum.Package{}, err
			}
			p, err := r.pick("cvmfs", id, "")
			if err != nil {
				return yum.Package{}, err
			}
			version = p.EVR.Version
			r.log.Debug("version", "cvmfs", version, "repository", id)
		}
	}
	if err := r.load(ctx, from); err != nil {
		return yum.Package{}, err
	}
	p, err := r.pick("cvmfs", from, version)
	return p.Package, err
}

// pick chooses the newest package of a name in a loaded repository.
func (r *resolver) pick(name, id, version string) (pick, error) {
	repo := r.repos[id]
	arch := r.choice.Machine.Arch
	p, ok := yum.Newest(repo.packages, name, arch, version)
	if !ok && version == "" {
		return pick{}, exit.Errorf(exit.Unresolved, "repository %q (%s) has no package %q for %s", id, repo.bases[0], name, arch)
	}
	if !ok {
		e := exit.Errorf(exit.Unresolved, "repository %q (%s) has no version %s of package %q for %s", id, repo.bases[0], version, name, arch)
		if have := versions(repo.packages, name, arch); have != "" {
			e = e.Hint("it has %s", have)
		}
		return pick{}, e
	}
	if p.Base != "" {
		return pick{}, exit.Errorf(exit.Unresolved, "package %s of repository %q lies elsewhere (xml:base %q), which is not followed", p.NEVRA(), id, p.Base)
	}
	out := pick{Package: p}
	for _, base := range repo.bases {
		u, err := yum.Resolve(base, p.Href)
		if err != nil {
			return pick{}, exit.Wrap(exit.Unresolved, err)
		}
		out.urls = append(out.urls, u)
	}
	return out, nil
}

// versions lists the newest few versions of a package.
func versions(pkgs []yum.Package, name, arch string) string {
	var all []yum.Package
	for _, p := range pkgs {
		if p.Name == name && (p.Arch == arch || p.Arch == "noarch") {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b yum.Package) int { return b.EVR.Compare(a.EVR) })
	var out []string
	for _, p := range all {
		if !slices.Contains(out, p.EVR.Version) {
			out = append(out, p.EVR.Version)
		}
	}
	if len(out) > 8 {
		out = append(out[:8], "...")
	}
	return strings.Join(out, ", ")
}
