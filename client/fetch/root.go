package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
)

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
	if err := f.blacklisted(root.Breadcrumb); err != nil {
		return Root{}, err
	}
	if f.blacklisted(root.Local) != nil {
		root.Local = trust.Breadcrumb{} // nothing to go back to
	}
	return root, nil
}

// blacklisted returns an error if the revision, when it is known, is refused.
func (f *Fetcher) blacklisted(b trust.Breadcrumb) error {
	if b.Revision == 0 {
		return nil
	}
	return f.verifier.Blacklist.CheckRevision(f.verifier.Name, b.Revision)
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
