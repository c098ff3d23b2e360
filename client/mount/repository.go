package mount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/cache"
	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/fetch"
	"github.com/cvmfsbundle/cvmfsbundle/client/fusefs"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/stratum"
	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// caDir has the certificates of authorities, for whitelists that demand them;
// X509_CERT_DIR names another (CVMFS client, crypto/signature.cc).
const caDir = "/etc/grid-security/certificates"

// repository is a verified repository that is ready to be shown.
type repository struct {
	stratumOpts stratum.Options
	stratum     *stratum.Client
	cache       *cache.Cache
	keys        trust.Keys
	fetcher     *fetch.Fetcher
	tree        *catalog.Tree
	root        trust.Breadcrumb
	fixed       bool // the root catalog was named by the configuration
}

// closeTime is how long downloads may take to clean up at the end of the process.
const closeTime = time.Second

// close lets what is under way come to its end, for a while: a request that the
// kernel has not let go of may wait for a server that does not answer.
func (r *repository) close() {
	if r.fetcher == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		r.fetcher.Close()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(closeTime):
	}
}

// openRepository opens the cache, fetches and verifies the repository's state and
// loads its root catalog. From here on the working directory is the workspace.
func (s *session) openRepository(ctx context.Context) error {
	s.note("loading Fuse module... ")
	s.repo = &repository{}
	if err := s.repo.open(ctx, s); err != nil {
		return err
	}
	fmt.Fprintln(s.stdout, "done")
	return nil
}

func (r *repository) open(ctx context.Context, s *session) error {
	var err error
	log := s.logger()
	if r.keys, err = loadKeys(s); err != nil {
		return err
	}
	blacklist, err := trust.LoadBlacklist(s.opts.Blacklists...)
	if err != nil {
		return failf(exit.Cvmfs2Signature, "%w", err)
	}
	r.stratumOpts = stratum.FromConfig(s.cmd.Repository, func(key string) (string, bool) { return s.params.Get("CVMFS_" + key) })
	r.stratumOpts.Log = log
	r.stratumOpts.MaxConnections = maxConnections()
	r.stratumOpts.IPv4Only = r.stratumOpts.IPv4Only || os.Getenv("CVMFS_IPV4_ONLY") != ""
	r.stratumOpts.UserAgent = strings.TrimSpace("cvmfs Fuse " + CompatVersion + " " + os.Getenv("CERNVM_UUID"))
	if r.stratum, err = stratum.New(r.stratumOpts); err != nil {
		if errors.Is(err, stratum.ErrNoProxy) || errors.Is(err, stratum.ErrAutoProxy) {
			return err
		}
		return failf(exit.Cvmfs2Options, "%w", err)
	}
	if s.opts.Alien != "" {
		return failf(exit.Cvmfs2Cache, "an alien cache (CVMFS_ALIEN_CACHE) is not supported yet")
	}
	if r.cache, err = cache.Open(cache.Options{Dir: s.opts.CacheDir, QuotaBytes: s.opts.QuotaBytes, Log: log}); err != nil {
		return err
	}
	if err := enterWorkspace(s.opts.Workspace); err != nil {
		return err
	}
	verifier := &trust.Verifier{Name: s.cmd.Repository, Keys: r.keys, Blacklist: blacklist, CADir: caDir}
	if dir := os.Getenv("X509_CERT_DIR"); dir != "" {
		verifier.CADir = dir
	}
	o := fetch.Options{Stratum: r.stratum, Cache: r.cache, Verifier: verifier, Log: log}
	return r.openRoot(ctx, s, o)
}

func loadKeys(s *session) (trust.Keys, error) {
	paths, err := trust.KeyPaths(s.opts.PublicKey, s.opts.KeysDir)
	if err != nil {
		return nil, err
	}
	return trust.LoadKeys(paths)
}

func enterWorkspace(dir string) error {
	err := os.MkdirAll(dir, 0o770)
	if err == nil {
		err = os.Chdir(dir)
	}
	if err != nil {
		return failf(exit.Cvmfs2Cache, "cannot create workspace directory %s: %w", dir, err)
	}
	return nil
}

// openRoot loads the root catalog: the one that is configured, or the newest that
// can be had.
func (r *repository) openRoot(ctx context.Context, s *session, o fetch.Options) error {
	watermark := s.opts.CatalogWatermark
	if watermark == 0 {
		watermark = maxFiles() / 4
	}
	load := func(h object.Hash) (err error) {
		r.tree, err = catalog.NewTree(ctx, r.fetcher, h, catalog.WithWatermark(watermark))
		return err
	}
	switch {
	case s.opts.Tag != "" || s.opts.Date != "":
		return failf(exit.Cvmfs2History, "CVMFS_REPOSITORY_TAG and CVMFS_REPOSITORY_DATE are not supported yet, use CVMFS_ROOT_HASH")
	case s.opts.RootHash != "":
		h, err := object.Parse(s.opts.RootHash)
		if err != nil {
			return failf(exit.Cvmfs2Options, "CVMFS_ROOT_HASH=%q: %w", s.opts.RootHash, err)
		}
		if s.opts.AltRootPath {
			o.AltRoot = h
		}
		r.fetcher, r.root, r.fixed = fetch.New(o), trust.Breadcrumb{Root: h}, true
		if err := load(h); err != nil {
			return rootFailure(err)
		}
		return r.adoptRevision(ctx, o.Verifier)
	}
	r.fetcher = fetch.New(o)
	root, err := r.fetcher.Root(ctx, trust.Breadcrumb{})
	if err != nil {
		if errors.Is(err, trust.ErrRevisionBlacklisted) {
			return err
		}
		return rootFailure(err)
	}
	if root.Offline && errors.Is(root.Cause, trust.ErrRefused) {
		s.log.Printf("failed to verify repository, staying at revision %d: %v", root.Revision, root.Cause)
	}
	r.root = root.Breadcrumb
	if err := load(r.root.Root); err != nil {
		if root.Local.IsZero() || root.Local.Root == r.root.Root || ctx.Err() != nil {
			return rootFailure(err)
		}
		s.log.Printf("failed to load root catalog %v, using %v: %v", r.root.Root, root.Local.Root, err)
		r.root = root.Local
		if lerr := load(r.root.Root); lerr != nil {
			return rootFailure(err)
		}
	}
	if r.root.Revision == 0 { // a breadcrumb of upstream's older clients
		if err := r.adoptRevision(ctx, o.Verifier); err != nil {
			return err
		}
	}
	if err := r.fetcher.Remember(r.root); err != nil {
		s.log.Printf("failed to remember the root catalog for a start without network: %v", err)
	}
	return nil
}

// adoptRevision takes the revision from the root catalog when no manifest has said
// it, and holds it against the blacklist, which a manifest's was before.
func (r *repository) adoptRevision(ctx context.Context, v *trust.Verifier) error {
	info, err := r.tree.Info(ctx, "")
	if err != nil {
		return rootFailure(err)
	}
	r.root.Revision = info.Properties.Revision
	return v.Blacklist.CheckRevision(v.Name, r.root.Revision)
}

// objects makes a fetcher the [fusefs.Objects] of a file system.
type objects struct{ f *fetch.Fetcher }

// Open implements [fusefs.Objects].
func (o objects) Open(ctx context.Context, want fusefs.Object) (fusefs.Content, error) {
	if want.External {
		return nil, errors.New("external files are not supported yet")
	}
	f, err := o.f.Object(ctx, want.Hash, want.Suffix, want.Compression, want.Size, want.Path)
	if err != nil {
		return nil, err // a nil *File would be a Content that is not nil
	}
	return f, nil
}
