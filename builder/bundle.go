package builder

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/cvmfsbundle/cvmfsbundle/builder/dist"
	"github.com/cvmfsbundle/cvmfsbundle/builder/embedded"
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
		return packTree(ctx, tree, stub, meta, o.Output)
	})
}

// PackOptions say what to pack.
type PackOptions struct {
	Dist   string // a tree with a [dist.Marker] in it
	Output string
	Epoch  *int64 // SOURCE_DATE_EPOCH; nil is 0
	Say    func(format string, args ...any)
}

// Pack makes a bundle of an existing tree. Errors carry an exit code.
func Pack(ctx context.Context, o PackOptions) error {
	meta, goarch, err := readMarker(o.Dist)
	if err != nil {
		return err
	}
	stub, err := embedded.Stub(goarch)
	if err != nil {
		return err
	}
	if o.Epoch != nil {
		meta.Epoch = *o.Epoch
	}
	if o.Say != nil {
		o.Say("packing %s for %s", o.Dist, meta.Machine)
	}
	return packTree(ctx, o.Dist, stub, meta, o.Output)
}

// packTree writes a bundle, atomically.
func packTree(ctx context.Context, tree string, stub []byte, meta payload.Meta, output string) error {
	root, err := os.OpenRoot(tree)
	if err != nil {
		return exit.Wrap(exit.Output, err)
	}
	defer root.Close()
	out, err := renameio.NewPendingFile(output, renameio.WithPermissions(0o755), renameio.WithTempDir(filepath.Dir(output)))
	if err != nil {
		return exit.Wrap(exit.Output, err)
	}
	defer out.Cleanup()
	w := bufio.NewWriterSize(out, 1<<20)
	if _, _, err := payload.Write(ctx, w, payload.Source{Stub: bytes.NewReader(stub), Dist: root}, meta); err != nil {
		return exit.Wrap(exit.Output, err)
	}
	if err := errors.Join(w.Flush(), out.CloseAtomicallyReplace()); err != nil {
		return exit.Wrap(exit.Output, err)
	}
	return nil
}

// readMarker reads what a tree says of itself. Trees of the original makedist have no
// client line: theirs is upstream's.
func readMarker(dir string) (payload.Meta, string, error) {
	bad := func(format string, args ...any) (payload.Meta, string, error) {
		return payload.Meta{}, "", exit.Errorf(exit.Config, format, args...)
	}
	text, err := readSmall(filepath.Join(dir, dist.Marker))
	if errors.Is(err, os.ErrNotExist) {
		return bad("%q is not a dist: it has no %s", dir, dist.Marker)
	}
	if err != nil {
		return bad("%w", err)
	}
	value := map[string]string{"client": string(payload.RPM)}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			value[k] = strings.TrimSpace(v)
		}
	}
	meta := payload.Meta{Profile: "dist", Machine: value["machtype"], Client: payload.Client(value["client"]), StubVersion: version.Version}
	switch value["disttype"] {
	case "standard":
		meta.Kind = payload.Cvmfsexec
	case "sing":
		meta.Kind = payload.Singcvmfs
	default:
		return bad("%q: %s: disttype is %q, not standard or sing", dir, dist.Marker, value["disttype"])
	}
	_, arch, _ := strings.Cut(meta.Machine, "-")
	goarch := profiles.Machine{Arch: arch}.GOARCH()
	if goarch == "" {
		return bad("%q: %s: machtype %q has no known architecture", dir, dist.Marker, meta.Machine)
	}
	if meta.Client != payload.RPM && meta.Client != payload.Builtin {
		return bad("%q: %s: client is %q, not rpm or builtin", dir, dist.Marker, meta.Client)
	}
	return meta, goarch, nil
}

func readSmall(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return string(data), err
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
