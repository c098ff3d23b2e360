package trust

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// ErrBreadcrumb is wrapped by the errors of [ParseBreadcrumb].
var ErrBreadcrumb = errors.New("malformed breadcrumb")

// Breadcrumb is the newest state of a repository that this cache has had: the file
// cvmfschecksum.FQRN of the cache directory (CVMFS client, manifest.cc). It makes
// a mount without network possible, and no state before it is accepted. The zero
// value means that nothing is known.
type Breadcrumb struct {
	Root      object.Hash
	Published time.Time // full seconds
	Revision  uint64    // 0 when unknown
}

// IsZero reports whether nothing is known.
func (b Breadcrumb) IsZero() bool { return b.Root.IsNull() }

// String returns the content of the file: HASH "T" SECONDS "R" REVISION.
func (b Breadcrumb) String() string {
	return fmt.Sprintf("%vT%dR%d", b.Root, b.Published.Unix(), b.Revision)
}

// ParseBreadcrumb reads what [Breadcrumb.String] writes; the revision may be
// absent.
func ParseBreadcrumb(text string) (Breadcrumb, error) {
	hash, rest, ok := strings.Cut(text, "T")
	if !ok {
		return Breadcrumb{}, fmt.Errorf("%w: no time", ErrBreadcrumb)
	}
	var b Breadcrumb
	var err error
	if b.Root, err = objectHash(hash); err != nil || b.Root.IsNull() {
		return Breadcrumb{}, fmt.Errorf("%w: hash %q", ErrBreadcrumb, hash)
	}
	seconds, revision, hasRevision := strings.Cut(rest, "R")
	n, err := number(seconds)
	if err != nil || n <= 0 {
		return Breadcrumb{}, fmt.Errorf("%w: time %q", ErrBreadcrumb, seconds)
	}
	b.Published = time.Unix(n, 0).UTC()
	if hasRevision {
		if b.Revision, err = strconv.ParseUint(revision, 10, 64); err != nil {
			return Breadcrumb{}, fmt.Errorf("%w: revision %q", ErrBreadcrumb, revision)
		}
	}
	return b, nil
}
