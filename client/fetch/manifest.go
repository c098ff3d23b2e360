package fetch

import (
	"context"
	"errors"
	"fmt"

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
