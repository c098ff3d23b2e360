package mount

import (
	"context"
	"errors"
	"fmt"

	"github.com/cvmfsbundle/cvmfsbundle/client/cache"
	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/options"
	"github.com/cvmfsbundle/cvmfsbundle/client/stratum"
	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// failure is a start that ends with an exit code of the command.
type failure struct {
	code exit.Cvmfs2
	err  error
}

func (f *failure) Error() string {
	if f.code == exit.Cvmfs2OK {
		return f.err.Error()
	}
	return fmt.Sprintf("%v (%d - %s)", f.err, int(f.code), codeText(f.code))
}

func (f *failure) Unwrap() error { return f.err }

func failf(c exit.Cvmfs2, format string, args ...any) error {
	return &failure{c, fmt.Errorf(format, args...)}
}

// codeText is upstream's name of a code (cvmfs/loader.h, Code2Ascii).
func codeText(c exit.Cvmfs2) string {
	switch c {
	case exit.Cvmfs2OK:
		return "OK"
	case exit.Cvmfs2Options:
		return "illegal options"
	case exit.Cvmfs2Permission:
		return "permission denied"
	case exit.Cvmfs2Mount:
		return "failed to mount"
	case exit.Cvmfs2FuseLoop:
		return "cannot run FUSE event loop"
	case exit.Cvmfs2Cache:
		return "cache directory/plugin problem"
	case exit.Cvmfs2Signature:
		return "signature verification failure"
	case exit.Cvmfs2Catalog:
		return "file catalog failure"
	case exit.Cvmfs2DoubleMount:
		return "already mounted"
	case exit.Cvmfs2History:
		return "history init failure"
	case exit.Cvmfs2Wpad:
		return "proxy auto-discovery failed"
	case exit.Cvmfs2Workspace:
		return "workspace already locked"
	case exit.Cvmfs2Blacklisted:
		return "revision blacklisted"
	}
	return "unknown error"
}

// classify gives an error of any part its code and its sentence.
func classify(err error) *failure {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, options.ErrUsage):
		return &failure{exit.Cvmfs2Options, err}
	case errors.Is(err, trust.ErrKeys):
		return &failure{exit.Cvmfs2Signature, err}
	case errors.Is(err, trust.ErrRevisionBlacklisted):
		return &failure{exit.Cvmfs2Blacklisted, err}
	case errors.Is(err, trust.ErrRefused):
		return &failure{exit.Cvmfs2Signature, fmt.Errorf("failed to verify repository: %w", err)}
	case errors.Is(err, stratum.ErrNoProxy):
		return &failure{exit.Cvmfs2Wpad, err}
	case errors.Is(err, stratum.ErrAutoProxy):
		return &failure{exit.Cvmfs2Wpad, fmt.Errorf("failed to discover HTTP proxy servers: %w", err)}
	case errors.Is(err, cache.ErrUnusable):
		return &failure{exit.Cvmfs2Cache, fmt.Errorf("cannot create workspace directory: %w", err)}
	case errors.Is(err, context.Canceled):
		return &failure{exit.Cvmfs2Unknown, errors.New("interrupted by a signal before the mount")}
	}
	return &failure{exit.Cvmfs2Unknown, err}
}

// rootFailure says why there is no root catalog.
func rootFailure(err error) error {
	for _, known := range []error{trust.ErrRefused, trust.ErrKeys, context.Canceled} {
		if errors.Is(err, known) {
			return err
		}
	}
	cause := "failed"
	switch {
	case errors.Is(err, stratum.ErrUnreachable):
		cause = "unreachable"
	case errors.Is(err, stratum.ErrCorrupt), errors.Is(err, object.ErrCorrupt), errors.Is(err, catalog.ErrDamaged), errors.Is(err, catalog.ErrUnsupported):
		cause = "damaged"
	}
	return failf(exit.Cvmfs2Catalog, "Failed to initialize root file catalog: %s: %w", cause, err)
}
