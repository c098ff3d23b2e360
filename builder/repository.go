package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/cvmfsbundle/cvmfsbundle/builder/compressed"
	"github.com/cvmfsbundle/cvmfsbundle/builder/fetch"
	"github.com/cvmfsbundle/cvmfsbundle/builder/yum"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// A repository is what is known of one after loading.
type repository struct {
	id       string
	bases    []string // the one that answered first
	packages []yum.Package
}

// load reads the metadata of repositories, in parallel, those already loaded left
// out.
func (r *resolver) load(ctx context.Context, ids ...string) error {
	slices.Sort(ids)
	var loaded []*repository
	g, ctx := errgroup.WithContext(ctx)
	for _, id := range slices.Compact(ids) {
		if r.repos[id] != nil {
			continue
		}
		bases, err := r.choice.BaseURLs(id)
		if err != nil {
			return exit.Wrap(exit.Config, err)
		}
		repo := &repository{id: id, bases: profiles.Mirrored(bases, r.mirrors)}
		loaded = append(loaded, repo)
		g.Go(func() error {
			if err := r.loadOne(ctx, repo); err != nil {
				return fmt.Errorf("repository %q: %w", repo.id, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, repo := range loaded {
		r.repos[repo.id] = repo
	}
	return nil
}

func (r *resolver) loadOne(ctx context.Context, repo *repository) error {
	data, err := r.repomd(ctx, repo)
	if err != nil {
		return err
	}
	f := fetch.File{
		Name: repo.id + " metadata", Size: data.Size, Max: yum.MaxPrimary,
		Type: data.Checksum.Type, Hex: data.Checksum.Hex, Hash: data.Checksum.New,
	}
	for _, base := range repo.bases {
		u, err := yum.Resolve(base, data.Href)
		if err != nil {
			return exit.Wrap(exit.Unreachable, err)
		}
		f.URLs = append(f.URLs, u)
	}
	path := filepath.Join(r.dir, "primary-"+repo.id)
	if _, _, err := r.client.File(ctx, f, path); err != nil {
		return err
	}
	defer os.Remove(path)
	repo.packages, err = readPrimary(path, data, func(name string) bool { return slices.Contains(r.names, name) })
	if err != nil {
		return fmt.Errorf("primary metadata: %w", err)
	}
	r.log.Debug("repository", "id", repo.id, "url", repo.bases[0], "packages", len(repo.packages))
	return nil
}

// repomd fetches and reads repomd.xml from the first base URL that has it, and puts
// that one first.
func (r *resolver) repomd(ctx context.Context, repo *repository) (yum.Data, error) {
	var errs []error
	for i, base := range repo.bases {
		text, err := r.client.Get(ctx, []string{base + "/repodata/repomd.xml"}, yum.MaxRepomd)
		if err == nil {
			var data yum.Data
			if data, err = yum.ParseRepomd(strings.NewReader(string(text))); err == nil {
				repo.bases[0], repo.bases[i] = repo.bases[i], repo.bases[0]
				return data, nil
			}
			err = exit.Wrap(exit.Unreachable, fmt.Errorf("%s/repodata/repomd.xml: %w", base, err))
		}
		if ctx.Err() != nil {
			return yum.Data{}, err
		}
		errs = append(errs, err)
	}
	err := errors.Join(errs...)
	var e *exit.Error
	if errors.As(err, &e) && e.Code == exit.Unreachable && len(e.Hints) == 0 {
		e.Hint("a mirror of yours can stand in: -mirror %s=URL", original(r.choice, repo.id))
	}
	return yum.Data{}, err
}

// original returns the base URL that the profile names, which is what mirrors are
// compared with.
func original(c *profiles.Choice, id string) string {
	bases, err := c.BaseURLs(id)
	if err != nil {
		return "FROM"
	}
	return bases[0]
}

// readPrimary parses a metadata file whose checksum has been verified, and holds its
// content against the checksum and size of the decompressed file, where given.
func readPrimary(path string, data yum.Data, keep func(string) bool) ([]yum.Package, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, exit.Wrap(exit.Output, err)
	}
	defer f.Close()
	limit := int64(yum.MaxOpenPrimary)
	if data.OpenSize >= 0 {
		limit = data.OpenSize
	}
	in, err := compressed.Open(f, limit)
	if err != nil {
		return nil, exit.Wrap(exit.Unreachable, err)
	}
	defer in.Close()
	var h hash.Hash = sha256.New()
	if !data.OpenChecksum.IsZero() {
		h = data.OpenChecksum.New()
	}
	tee := io.TeeReader(in, h)
	pkgs, err := yum.ParsePrimary(tee, keep)
	if err == nil {
		_, err = io.Copy(io.Discard, tee)
	}
	if err != nil {
		return nil, exit.Wrap(exit.Unreachable, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); !data.OpenChecksum.IsZero() && got != data.OpenChecksum.Hex {
		return nil, exit.Wrap(exit.Digest, &fetch.DigestError{Type: data.OpenChecksum.Type, Want: data.OpenChecksum.Hex, Got: got})
	}
	return pkgs, nil
}
