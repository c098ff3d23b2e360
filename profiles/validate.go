package profiles

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

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
