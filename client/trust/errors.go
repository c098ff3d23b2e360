package trust

import "errors"

// ErrRefused matches every error of this package that says that something is not
// to be trusted.
var ErrRefused = errors.New("not trusted")

// refusal is a reason to refuse, in the words of the CVMFS client.
type refusal string

func (r refusal) Error() string { return string(r) }

func (r refusal) Is(target error) bool { return target == ErrRefused }

// Reasons to refuse a manifest (CVMFS client, manifest_fetch.h).
var (
	ErrIncomplete         error = refusal("incomplete manifest")
	ErrName               error = refusal("repository name mismatch")
	ErrRootPath           error = refusal("catalog root path mismatch")
	ErrOutdated           error = refusal("outdated manifest")
	ErrBadCertificate     error = refusal("bad certificate, failed to verify repository manifest")
	ErrBadSignature       error = refusal("bad signature, failed to verify repository manifest")
	ErrBadWhitelist       error = refusal("bad whitelist")
	ErrInvalidCertificate error = refusal("invalid certificate")
)

// Reasons to refuse a whitelist or a certificate (CVMFS client, whitelist.h). The
// first five come wrapped in [ErrBadWhitelist], the others in
// [ErrInvalidCertificate].
var (
	ErrWhitelistEmpty     error = refusal("empty whitelist")
	ErrWhitelistMalformed error = refusal("malformed whitelist")
	ErrWhitelistName      error = refusal("repository name mismatch on whitelist")
	ErrWhitelistExpired   error = refusal("expired whitelist")
	ErrWhitelistSignature error = refusal("invalid whitelist signature")
	ErrWhitelistPKCS7     error = refusal("invalid whitelist (pkcs7)")
	ErrCAChain            error = refusal("failed to verify CA chain")
	ErrNotListed          error = refusal("certificate not on whitelist")
	ErrBlacklisted        error = refusal("certificate blacklisted")
)

// ErrRevisionBlacklisted: the revision is older than what the blacklist allows.
var ErrRevisionBlacklisted error = refusal("repository revision blacklisted")

// ErrKeys: a master key is missing or unreadable.
var ErrKeys = errors.New("failed to load public key(s)")
