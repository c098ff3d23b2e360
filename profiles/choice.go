package profiles

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Choice is one profile for one machine type and client.
type Choice struct {
	Profile Profile // with everything it inherits
	Machine Machine
	Client  Client

	set *Set
}

// Select chooses a profile and a machine type. An empty client means the profile's
// own default.
func (s *Set) Select(profile, machine string, client Client) (*Choice, error) {
	p, ok := s.profiles[profile]
	if !ok || p.Hidden {
		return nil, fmt.Errorf("there is no profile %q: choose one of %s", profile, strings.Join(s.Names(), ", "))
	}
	p, err := s.flatten(profile)
	if err != nil {
		return nil, err
	}
	m, ok := s.machines[machine]
	if !ok {
		return nil, fmt.Errorf("there is no machine type %q: choose one of %s", machine, strings.Join(s.Machines(), ", "))
	}
	if len(p.Machines) > 0 && !slices.ContainsFunc(p.Machines, func(pattern string) bool {
		ok, _ := path.Match(pattern, machine)
		return ok
	}) {
		return nil, fmt.Errorf("profile %q is not available for machine type %q: it is for %s", profile, machine, strings.Join(p.Machines, ", "))
	}
	if client == "" {
		client = p.Client
	}
	if client == "" {
		client = RPM
	}
	return &Choice{p, m, client, s}, nil
}

// Names returns the names of the profiles, sorted, without hidden ones.
func (s *Set) Names() []string {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(s.profiles)) {
		if !s.profiles[n].Hidden {
			names = append(names, n)
		}
	}
	return names
}

// Profile returns a profile with everything it inherits.
func (s *Set) Profile(name string) (Profile, bool) {
	if _, ok := s.profiles[name]; !ok {
		return Profile{}, false
	}
	p, err := s.flatten(name)
	return p, err == nil
}

// Machines returns the names of the machine types, sorted.
func (s *Set) Machines() []string { return slices.Sorted(maps.Keys(s.machines)) }

// VersionFrom returns the repository whose newest cvmfs says which version is
// taken, or "" for the newest of the repository that cvmfs comes from.
func (c *Choice) VersionFrom() (string, error) {
	for _, v := range c.Profile.Versions {
		ok, err := c.holds(v.When, "")
		if err != nil {
			return "", fmt.Errorf("profile %q: versions: %w", c.Profile.Name, err)
		}
		if ok {
			return v.Repository, nil
		}
	}
	return "", nil
}

// Packages returns the packages to take, in the order of the profile. The version
// is that of cvmfs; it is "" with the built-in client.
func (c *Choice) Packages(version string) ([]Package, error) {
	var out []Package
	for _, p := range c.Profile.Packages {
		ok, err := c.holds(p.When, version)
		if err != nil {
			return nil, fmt.Errorf("profile %q: package %q: %w", c.Profile.Name, p.Name, err)
		}
		if ok {
			out = append(out, p)
		}
	}
	return out, nil
}

// BaseURLs returns the base URLs of a repository for this machine, the preferred
// one first, without a slash at the end.
func (c *Choice) BaseURLs(id string) ([]string, error) {
	r, ok := c.set.repositories[id]
	if !ok {
		return nil, fmt.Errorf("there is no repository %q", id)
	}
	for _, src := range r.Sources {
		ok, err := c.holds(src.When, "")
		if err != nil {
			return nil, fmt.Errorf("repository %q: %w", id, err)
		}
		if !ok {
			continue
		}
		var urls []string
		for _, raw := range append([]string{src.URL}, src.Mirrors...) {
			u, err := expand(raw, c.Machine)
			if err != nil {
				return nil, fmt.Errorf("repository %q: %w", id, err)
			}
			urls = append(urls, strings.TrimRight(u, "/"))
		}
		return urls, nil
	}
	return nil, fmt.Errorf("repository %q has no source for machine type %q", id, c.Machine.Name)
}

func (c *Choice) holds(when, version string) (bool, error) {
	cond, err := parseCondition(when)
	if err != nil {
		return false, err
	}
	return cond.holds(facts{c.Machine, c.Client, version})
}

// expand fills the templates of a base URL.
func expand(s string, m Machine) (string, error) {
	out := strings.NewReplacer(
		"{EL}", strconv.Itoa(m.EL),
		"{ARCH}", m.Arch,
		"{DISTRO}", m.Distro,
		"{VERSION_ID}", m.Version,
	).Replace(s)
	if i := strings.IndexAny(out, "{}"); i >= 0 {
		return "", fmt.Errorf("unknown template in %q: use {EL}, {ARCH}, {DISTRO} or {VERSION_ID}", s)
	}
	return out, nil
}
