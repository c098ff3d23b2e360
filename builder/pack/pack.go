// Package pack makes a bundle file from a dist tree.
//
// The tree is one that makedist or this builder has laid out: it has the file
// .cvmfsexecdist, whose lines say what it is. Everything in it goes into the
// bundle, except the places where a running client keeps its state.
package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
)

// Options say what is packed.
type Options struct {
	Dist   string       // the dist directory, of any name
	Stub   io.Reader    // the program at the head of the file
	Meta   payload.Meta // what the tree itself says (kind, machine, client) may be left empty, and must else be the same
	Output string       // the file to write
}

// Result is what [Pack] has written.
type Result struct {
	ID       payload.ID
	Manifest *payload.Manifest
	Size     int64 // bytes of the file
}

// Pack writes the bundle, mode 0755: complete or not at all. An older file of that
// name stays until then, and for those who run it. Errors about the tree have the
// code [exit.Config], others [exit.Output].
func Pack(ctx context.Context, o Options) (*Result, error) {
	dist, err := os.OpenRoot(o.Dist)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, exit.Errorf(exit.Config, "there is no dist tree %q", o.Dist).Hint("make one with: cvmfsbundle dist")
	}
	if err != nil {
		return nil, exit.Wrap(exit.Config, err)
	}
	defer dist.Close()
	d, err := ReadDescription(dist)
	if err == nil {
		err = d.complete(&o.Meta)
	}
	if err == nil {
		err = checkState(dist)
	}
	if err != nil {
		return nil, exit.Wrap(exit.Config, fmt.Errorf("dist tree %q: %w", o.Dist, err))
	}
	r, err := write(ctx, dist, o)
	if err != nil {
		return nil, exit.Wrap(exit.Output, fmt.Errorf("pack %q: %w", o.Dist, err))
	}
	return r, nil
}

func write(ctx context.Context, dist *os.Root, o Options) (*Result, error) {
	f, err := renameio.NewPendingFile(o.Output, renameio.WithTempDir(filepath.Dir(o.Output)),
		renameio.WithStaticPermissions(0o755))
	if err != nil {
		return nil, fmt.Errorf("create %q: %w", o.Output, err)
	}
	defer f.Cleanup() // nothing to do after the rename
	id, m, err := payload.Write(ctx, f, payload.Source{Stub: o.Stub, Dist: dist, Skip: isState}, o.Meta)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := f.CloseAtomicallyReplace(); err != nil { // syncs first
		return nil, fmt.Errorf("write %q: %w", o.Output, err)
	}
	return &Result{ID: id, Manifest: m, Size: info.Size()}, nil
}
