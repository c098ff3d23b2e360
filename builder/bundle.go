package builder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/builder/embedded"
	"github.com/cvmfsbundle/cvmfsbundle/builder/pack"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/internal/version"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// Build makes a bundle at o.Output, which is replaced when it exists. Errors carry
// an exit code.
func Build(ctx context.Context, o Options) error {
	stub, err := embedded.Stub(o.Choice.Machine.GOARCH())
	if err != nil {
		return err
	}
	return inside(o.Output, func(tmp string) error {
		tree := filepath.Join(tmp, "dist")
		l, err := lay(ctx, o, tmp, tree)
		if err != nil {
			return err
		}
		hash, err := profileHash(o)
		if err != nil {
			return err
		}
		meta := payload.Meta{
			Kind: payload.Cvmfsexec, Profile: o.Choice.Profile.Name, Machine: o.Choice.Machine.Name,
			Client: payload.Client(o.Choice.Client), ClientVersion: l.client, StubVersion: version.Version,
			ProfileHash: &hash, Epoch: l.epoch, Packages: l.packages,
		}
		o.say("packing")
		return packIn(ctx, tmp, o.Output, pack.Options{Dist: tree, Stub: bytes.NewReader(stub), Meta: meta})
	})
}

// packIn makes a bundle in the directory tmp and renames it to output.
func packIn(ctx context.Context, tmp, output string, o pack.Options) error {
	o.Output = filepath.Join(tmp, "bundle")
	if _, err := pack.Pack(ctx, o); err != nil {
		return err
	}
	if err := os.Rename(o.Output, output); err != nil {
		return exit.Wrap(exit.Output, err)
	}
	return nil
}

// PackOptions say what to pack.
type PackOptions struct {
	Dist   string // a tree with a [pack.DescriptionFile] in it
	Output string
	Epoch  *int64 // SOURCE_DATE_EPOCH; nil is 0
	Say    func(format string, args ...any)
}

// Pack makes a bundle of an existing tree. Errors carry an exit code.
func Pack(ctx context.Context, o PackOptions) error {
	d, err := describe(o.Dist)
	if err != nil {
		return exit.Wrap(exit.Config, fmt.Errorf("dist tree %q: %w", o.Dist, err))
	}
	_, arch, _ := strings.Cut(d.Machine, "-")
	goarch := profiles.Machine{Arch: arch}.GOARCH()
	if goarch == "" {
		return exit.Errorf(exit.Config, "dist tree %q: machine type %q has no architecture that there are stubs for", o.Dist, d.Machine)
	}
	stub, err := embedded.Stub(goarch)
	if err != nil {
		return err
	}
	meta := payload.Meta{Profile: "dist", StubVersion: version.Version}
	if o.Epoch != nil {
		meta.Epoch = *o.Epoch
	}
	if o.Say != nil {
		o.Say("packing %s for %s", o.Dist, d.Machine)
	}
	return inside(o.Output, func(tmp string) error {
		return packIn(ctx, tmp, o.Output, pack.Options{Dist: o.Dist, Stub: bytes.NewReader(stub), Meta: meta})
	})
}

// describe reads what a tree says of itself.
func describe(dir string) (pack.Description, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return pack.Description{}, err
	}
	defer root.Close()
	return pack.ReadDescription(root)
}

// profileHash is the digest of everything that was asked for, wherever it was
// fetched from: the profile with what it inherits, machine type, client, base URLs,
// settings.
func profileHash(o Options) (payload.Digest, error) {
	asked := struct {
		Profile  profiles.Profile
		Machine  profiles.Machine
		Client   profiles.Client
		Version  string
		BaseURLs map[string][]string
		Local    []string
		Set      []string
	}{o.Choice.Profile, o.Choice.Machine, o.Choice.Client, o.Version, map[string][]string{}, o.Local, o.Set}
	for _, p := range o.Choice.Profile.Packages {
		if urls, err := o.Choice.BaseURLs(p.Repository); err == nil { // one that is not needed may have none
			asked.BaseURLs[p.Repository] = urls
		}
	}
	text, err := json.Marshal(asked)
	if err != nil {
		return payload.Digest{}, err
	}
	return sha256.Sum256(text), nil
}
