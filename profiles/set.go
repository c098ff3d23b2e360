package profiles

import (
	"errors"
	"fmt"
	"maps"
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
