package profiles

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile bounds a profile file, in bytes.
const maxFile = 1 << 20

// A Set is the machines, repositories and profiles of one or more files. It is not
// changed after loading, except by [Set.Overlay].
type Set struct {
	machines     map[string]Machine
	repositories map[string]repository
	profiles     map[string]Profile
}

// Parse reads the text of a profile file; name stands in errors.
func Parse(name, text string) (*Set, error) {
	s := &Set{map[string]Machine{}, map[string]repository{}, map[string]Profile{}}
	if err := s.Overlay(name, text); err != nil {
		return nil, err
	}
	return s, nil
}

// Overlay reads another file: its machines, repositories and profiles replace those
// of the same names. On an error s is of no further use.
func (s *Set) Overlay(name, text string) error {
	if len(text) > maxFile {
		return fmt.Errorf("%s:1: the file has more than %d bytes", name, maxFile)
	}
	src := newSource(name, text)
	var f file
	md, err := toml.Decode(text, &f)
	var pe toml.ParseError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s:%d: %s", name, pe.Position.Line, pe.Message)
	}
	if err != nil {
		return fmt.Errorf("%s:1: %w", name, err)
	}
	for _, key := range md.Undecoded() {
		return src.errorf(key, "", "unknown key %q: the keys are listed in the documentation of profiles.toml; check the spelling", key.String())
	}
	if f.Schema != Schema {
		return src.errorf([]string{"schema"}, "", "schema is %d: this program reads schema = %d", f.Schema, Schema)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Machines)) {
		m := f.Machines[name]
		m.Name = name
		if err := m.validate(src); err != nil {
			return err
		}
		s.machines[name] = m
	}
	for name, r := range f.Repositories {
		r.where = src
		s.repositories[name] = r
	}
	for name, p := range f.Profiles {
		p.Name, p.where = name, src
		s.profiles[name] = p
	}
	return s.validate()
}

func (m Machine) validate(src *source) error {
	key := []string{"machines", m.Name}
	switch {
	case m.GOARCH() == "":
		return src.errorf(append(key, "arch"), "", "machine type %q: arch is %q: use x86_64, aarch64 or ppc64le", m.Name, m.Arch)
	case !plain(m.Distro) || !plain(m.Version):
		return src.errorf(key, "", "machine type %q: distro (%q) and version (%q) must be letters, digits, dot, dash or underscore", m.Name, m.Distro, m.Version)
	case m.EL < 7 || m.EL > 99:
		return src.errorf(append(key, "el"), "", "machine type %q: el is %d: give the Enterprise Linux version whose packages fit", m.Name, m.EL)
	case !plain(m.Name):
		return src.errorf(key, "", "machine type %q: the name must be letters, digits, dot, dash or underscore", m.Name)
	}
	return nil
}

// plain reports whether s can stand in a file name, a URL and a line of .cvmfsexecdist.
func plain(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == "" && s[0] != '.' && s[0] != '-'
}

// validate checks everything that can be checked without choosing a profile.
func (s *Set) validate() error {
	for _, name := range slices.Sorted(maps.Keys(s.repositories)) {
		if err := s.repositories[name].validate(name); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.profiles)) {
		if err := s.validateProfile(s.profiles[name]); err != nil {
			return err
		}
	}
	return nil
}

func (r repository) validate(name string) error {
	key := []string{"repositories", name, "sources"}
	if !plain(name) {
		return r.where.errorf(key[:2], "", "repository %q: the name must be letters, digits, dot, dash or underscore", name)
	}
	if len(r.Sources) == 0 {
		return r.where.errorf(key, "", "repository %q has no sources: give at least { url = \"https://...\" }", name)
	}
	for _, src := range r.Sources {
		if _, err := parseCondition(src.When); err != nil {
			return r.where.errorf(key, src.When, "%v", err)
		}
		for _, raw := range append([]string{src.URL}, src.Mirrors...) {
			if err := checkURL(raw); err != nil {
				return r.where.errorf(key, raw, "repository %q: %v", name, err)
			}
		}
	}
	return nil
}

// checkURL checks a base URL with its templates.
func checkURL(raw string) error {
	expanded, err := expand(raw, Machine{Arch: "a", Distro: "d", Version: "1", EL: 9})
	if err != nil {
		return err
	}
	u, err := url.Parse(expanded)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not a base URL: give http(s)://HOST/PATH", raw)
	}
	return nil
}

func (s *Set) validateProfile(p Profile) error {
	at := func(key, needle, format string, args ...any) error {
		return p.where.errorf([]string{"profiles", p.Name, key}, needle, "profile %q: "+format, append([]any{p.Name}, args...)...)
	}
	if !plain(p.Name) {
		return at("", "", "the name must be letters, digits, dot, dash or underscore")
	}
	if _, err := s.flatten(p.Name); err != nil {
		return err
	}
	if p.Client != "" && p.Client != RPM && p.Client != Builtin {
		return at("client", "", "client is %q: use \"rpm\" or \"builtin\"", p.Client)
	}
	for _, m := range p.Machines {
		if _, err := path.Match(m, ""); err != nil {
			return at("machines", m, "pattern %q: %v", m, err)
		}
	}
	for _, v := range p.Versions {
		if _, ok := s.repositories[v.Repository]; !ok {
			return at("versions", v.Repository, "there is no repository %q: declare [repositories.%s]", v.Repository, v.Repository)
		}
		if _, err := parseCondition(v.When); err != nil {
			return at("versions", v.When, "%v", err)
		}
	}
	for _, pkg := range p.Packages {
		if !packageName(pkg.Name) {
			return at("packages", pkg.Name, "%q is not the name of a package", pkg.Name)
		}
		if _, ok := s.repositories[pkg.Repository]; !ok {
			return at("packages", fmt.Sprintf("%q", pkg.Name), "package %q: there is no repository %q: declare [repositories.%s]", pkg.Name, pkg.Repository, pkg.Repository)
		}
		if _, err := parseCondition(pkg.When); err != nil {
			return at("packages", fmt.Sprintf("%q", pkg.Name), "package %q: %v", pkg.Name, err)
		}
	}
	if strings.ContainsRune(p.Local, 0) {
		return at("local", "", "local holds a zero byte")
	}
	return nil
}

func packageName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == ""
}

// flatten returns the profile with everything it inherits.
func (s *Set) flatten(name string) (Profile, error) {
	p := s.profiles[name]
	seen := []string{name}
	for parent := p.Extends; parent != ""; {
		up, ok := s.profiles[parent]
		child := s.profiles[seen[len(seen)-1]]
		key := []string{"profiles", child.Name, "extends"}
		if !ok {
			return Profile{}, child.where.errorf(key, "", "profile %q extends %q, which does not exist: declare [profiles.%s]", child.Name, parent, parent)
		}
		if slices.Contains(seen, parent) {
			return Profile{}, child.where.errorf(key, "", "profile %q extends itself: %s", name, strings.Join(append(seen, parent), " -> "))
		}
		seen = append(seen, parent)
		p = inherit(up, p)
		parent = up.Extends
	}
	return p, nil
}

// inherit returns child with what it leaves to its parent.
func inherit(parent, child Profile) Profile {
	if child.Summary == "" {
		child.Summary = parent.Summary
	}
	if child.Machines == nil {
		child.Machines = parent.Machines
	}
	if child.Client == "" {
		child.Client = parent.Client
	}
	if child.Versions == nil {
		child.Versions = parent.Versions
	}
	if child.Local == "" {
		child.Local = parent.Local
	}
	var packages []Package
	for _, p := range parent.Packages {
		if !slices.ContainsFunc(child.Packages, func(c Package) bool { return c.Name == p.Name }) {
			packages = append(packages, p)
		}
	}
	child.Packages = append(packages, child.Packages...)
	return child
}
