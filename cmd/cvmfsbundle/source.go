package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/cvmfsbundle/cvmfsbundle"
	"github.com/cvmfsbundle/cvmfsbundle/builder"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/ui"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// maxText bounds a file named on the command line, in bytes.
const maxText = 1 << 20

// source is what build and dist are told.
type source struct {
	profile, machine, client, version, output string
	mirrors, local, set, profiles             list
	talk                                      talk
}

func (s *source) flags(fs *flag.FlagSet) {
	fs.StringVar(&s.profile, "profile", "", "")
	fs.StringVar(&s.machine, "machine", "", "")
	fs.StringVar(&s.client, "client", "", "")
	fs.StringVar(&s.version, "version", "", "")
	fs.StringVar(&s.output, "o", "", "")
	fs.Var(&s.mirrors, "mirror", "")
	fs.Var(&s.local, "local", "")
	fs.Var(&s.set, "set", "")
	fs.Var(&s.profiles, "profiles", "")
	s.talk.flags(fs)
}

// options turns the flags into what the builder takes.
func (s *source) options(command string) (builder.Options, error) {
	var o builder.Options
	switch {
	case s.profile == "":
		return o, usageError(command, "-profile is missing")
	case s.output == "":
		return o, usageError(command, "-o is missing")
	case s.client != "" && s.client != string(profiles.RPM) && s.client != string(profiles.Builtin):
		return o, usageError(command, "-client is %q: use rpm or builtin", s.client)
	}
	set, err := loadProfiles(s.profiles)
	if err != nil {
		return o, err
	}
	if o.Choice, err = s.choose(set); err != nil {
		return o, err
	}
	if s.version != "" && o.Choice.Client == profiles.Builtin {
		return o, usageError(command, "-version chooses a version of upstream's client: it does not go with the built-in one")
	}
	if o.Mirrors, err = s.allMirrors(command); err != nil {
		return o, err
	}
	s.warnUnused(o.Choice)
	for _, path := range s.local {
		text, err := readText(path)
		if err != nil {
			return o, err
		}
		o.Local = append(o.Local, text)
	}
	if o.Epoch, err = epoch(); err != nil {
		return o, err
	}
	o.Set, o.Version, o.Say, o.Log = s.set, s.version, s.talk.say, s.talk.log()
	o.Output, err = filepath.Abs(s.output)
	return o, err
}

// loadProfiles returns the shipped profiles with those of the caller's files over
// them.
func loadProfiles(files []string) (*profiles.Set, error) {
	set, err := profiles.Parse("profiles.toml", cvmfsbundle.Profiles)
	if err != nil {
		return nil, exit.Wrap(exit.Config, err)
	}
	for _, path := range files {
		text, err := readText(path)
		if err != nil {
			return nil, err
		}
		if err := set.Overlay(path, text); err != nil {
			return nil, exit.Wrap(exit.Config, err)
		}
	}
	return set, nil
}

// choose finds the machine type, this machine's by default. A machine without one can
// still make bundles with the built-in client, which needs nothing of a system.
func (s *source) choose(set *profiles.Set) (*profiles.Choice, error) {
	machine := s.machine
	if machine == "" {
		release, _ := os.ReadFile("/etc/os-release")
		arch := profiles.RPMArch(runtime.GOARCH)
		var err error
		if machine, err = set.HostMachine(string(release), arch); err != nil {
			p, _ := set.Profile(s.profile)
			if s.client != string(profiles.Builtin) && (s.client != "" || p.Client != profiles.Builtin) {
				return nil, exit.Wrap(exit.Config, err)
			}
			machine = "rhel9-" + arch
		}
	}
	c, err := set.Select(s.profile, machine, profiles.Client(s.client))
	return c, exit.Wrap(exit.Config, err)
}

// allMirrors joins the flags with the environment's; a flag wins over an equal one
// there.
func (s *source) allMirrors(command string) ([]profiles.Mirror, error) {
	var out []profiles.Mirror
	for _, text := range s.mirrors {
		m, err := profiles.ParseMirror(text)
		if err != nil {
			return nil, usageError(command, "%w", err)
		}
		out = append(out, m)
	}
	more, err := profiles.ParseMirrors(os.Getenv(profiles.MirrorsVar))
	if err != nil {
		return nil, usageError(command, "%s: %w", profiles.MirrorsVar, err)
	}
	return append(out, more...), nil
}

// warnUnused names the mirrors of the command line that replace nothing: a typing
// error there would send the builder to the original servers.
func (s *source) warnUnused(c *profiles.Choice) {
	for _, text := range s.mirrors {
		m, err := profiles.ParseMirror(text)
		if err == nil && !slices.ContainsFunc(c.Profile.Packages, func(p profiles.Package) bool {
			bases, err := c.BaseURLs(p.Repository)
			return err == nil && slices.ContainsFunc(bases, m.Applies)
		}) {
			ui.Warn(s.talk.stderr, program, "-mirror %s: no repository of profile %s begins with that", m.From, c.Profile.Name)
		}
	}
}

// readText reads a file named on the command line.
func readText(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", exit.Wrap(exit.Config, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err == nil && len(data) > maxText {
		err = fmt.Errorf("%q has more than %d bytes", path, maxText)
	}
	return string(data), exit.Wrap(exit.Config, err)
}

const profilesUsage = `Usage: cvmfsbundle profiles [-profiles FILE ...]

Lists the profiles and machine types there are to build from.

Example:
  cvmfsbundle profiles -profiles our-site.toml
`

func runProfiles(_ context.Context, args []string, stdout, _ io.Writer) error {
	var files list
	fs := new(flag.FlagSet)
	fs.Var(&files, "profiles", "")
	if _, err := parse(fs, "profiles", profilesUsage, args, stdout, 0); err != nil {
		return err
	}
	set, err := loadProfiles(files)
	if err != nil {
		return err
	}
	var errs []error
	print := func(format string, args ...any) {
		_, err := fmt.Fprintf(stdout, format, args...)
		errs = append(errs, err)
	}
	for _, name := range set.Names() {
		p, _ := set.Profile(name)
		client := p.Client
		if client == "" {
			client = profiles.RPM
		}
		print("%-10s %s (client: %s)\n", name, p.Summary, client)
	}
	print("\nmachine types:\n")
	for _, m := range set.Machines() {
		print("  %s\n", m)
	}
	return exit.Wrap(exit.Output, errors.Join(errs...))
}
