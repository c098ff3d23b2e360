package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/stratum"
	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
)

const (
	manifestPath  = ".cvmfspublished"
	whitelistPath = ".cvmfswhitelist"
)

// errWhitelistDownload marks a whitelist that could not be had.
var errWhitelistDownload = errors.New("failed to download whitelist")

// Manifest fetches the manifest and verifies it against the newest state known,
// zero if there is none. If what a host says is refused, the next host is asked
// once. Errors match [trust.ErrRefused], or those of package stratum when the
// servers cannot be reached.
func (f *Fetcher) Manifest(ctx context.Context, known trust.Breadcrumb) (*trust.Manifest, error) {
	m, err := f.manifest(ctx, known)
	if hosts, _ := f.stratum.Hosts(); err == nil || len(hosts) < 2 || ctx.Err() != nil || !otherHostMayHelp(err) {
		return m, err
	}
	f.log.Warn("manifest refused, trying the next host", "repo", f.verifier.Name, "error", err)
	f.stratum.SwitchHost(err.Error())
	return f.manifest(ctx, known)
}

// otherHostMayHelp: a certificate that may not sign is the repository's fault, and
// hosts that fail have been tried already.
func otherHostMayHelp(err error) bool {
	return errors.Is(err, errWhitelistDownload) ||
		errors.Is(err, trust.ErrRefused) && !errors.Is(err, trust.ErrInvalidCertificate)
}

func (f *Fetcher) manifest(ctx context.Context, known trust.Breadcrumb) (*trust.Manifest, error) {
	data, err := f.stratum.Get(ctx, stratum.Request{Path: manifestPath, Label: "manifest of " + f.verifier.Name, Limit: trust.MaxSize})
	if err != nil {
		return nil, fmt.Errorf("failed to download manifest: %w", err)
	}
	m, err := f.verifier.Manifest(ctx, data, known, sources{f})
	if err != nil {
		return nil, err
	}
	if m.AltPath {
		f.mu.Lock()
		f.altRoot = m.RootCatalog
		f.mu.Unlock()
	}
	return m, nil
}

// sources implements [trust.Sources].
type sources struct{ f *Fetcher }

func (s sources) Certificate(ctx context.Context, h object.Hash, alt bool) ([]byte, error) {
	return s.f.small(ctx, want{hash: h, suffix: object.Certificate, alt: alt, label: "certificate for " + s.f.verifier.Name})
}

func (s sources) Whitelist(ctx context.Context) ([]byte, error) {
	data, err := s.f.stratum.Get(ctx, stratum.Request{Path: whitelistPath, Label: "whitelist of " + s.f.verifier.Name, Limit: trust.MaxSize})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errWhitelistDownload, err)
	}
	return data, nil
}

// Root is the state of the repository that is to be shown.
type Root struct {
	trust.Breadcrumb                  // root catalog, its time and revision
	Manifest         *trust.Manifest  // what the server says, nil if that was not to be had or is not what is shown
	Local            trust.Breadcrumb // the newest state known before, zero if none: to be shown if the root catalog cannot be loaded
	Offline          bool             // the server is out of reach, not believed, or behind
	Cause            error            // why Manifest is nil
}

// Root chooses the state to show. mounted is what is shown at present, zero when
// nothing is. The server's state is taken if it is newer than all that is known
// here; else the newest that is known here. Without either, the error is that of
// [Fetcher.Manifest]. A revision on the blacklist gives an error that matches
// [trust.ErrRevisionBlacklisted].
func (f *Fetcher) Root(ctx context.Context, mounted trust.Breadcrumb) (Root, error) {
	local := f.newest(mounted)
	m, err := f.Manifest(ctx, local)
	root := Root{Breadcrumb: local, Local: local, Cause: err}
	switch {
	case err == nil && (local.IsZero() || m.Revision > local.Revision || m.Revision == 0 && local.Revision == 0):
		root.Breadcrumb = trust.Breadcrumb{Root: m.RootCatalog, Published: m.Published, Revision: m.Revision}
		root.Manifest = m
	case local.IsZero():
		return Root{}, err
	case err == nil && m.Revision == local.Revision:
		root.Manifest = m
	default:
		root.Offline = true
		if err == nil {
			root.Cause = fmt.Errorf("server has revision %d, %d is known", m.Revision, local.Revision)
		}
		if ctx.Err() != nil {
			return Root{}, context.Cause(ctx)
		}
		f.log.Warn("using the newest state known here", "repo", f.verifier.Name, "hash", local.Root.String(), "error", root.Cause)
	}
	if err := f.verifier.Blacklist.CheckRevision(f.verifier.Name, root.Revision); err != nil && root.Revision != 0 {
		return Root{}, err
	}
	return root, nil
}

// newest returns the newest state known here: what is mounted, or what the cache
// remembers, if that is newer because another client has put it there.
func (f *Fetcher) newest(mounted trust.Breadcrumb) trust.Breadcrumb {
	kept, err := f.cache.Breadcrumb(f.verifier.Name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.log.Warn("newest known state is unreadable", "repo", f.verifier.Name, "error", err)
		}
		return mounted
	}
	switch {
	case mounted.IsZero():
		return kept
	case kept.Revision == 0 && mounted.Published.Before(kept.Published):
		return kept
	case kept.Revision > mounted.Revision:
		return kept
	}
	return mounted
}

// Remember records that the root catalog of root was loaded, for the next start
// and for one without network.
func (f *Fetcher) Remember(root trust.Breadcrumb) error {
	return f.cache.SetBreadcrumb(f.verifier.Name, root)
}
