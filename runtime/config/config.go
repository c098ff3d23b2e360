// Package config builds the configuration of one repository from the files of a
// dist tree and hands it to the client as literal KEY=VALUE lines.
//
// # Order
//
// The files are evaluated in one environment by internal/shellconf, later ones
// overriding earlier ones. "CR" is the configuration repository; its files are left
// out for itself and when there is none. DOMAIN is the name after its first dot.
//
//	1  etc/cvmfs/default.conf (must exist)
//	2  etc/cvmfs/default.d/*.conf, sorted; from here on CVMFS_CONFIG_REPOSITORY is fixed
//	3  CR/etc/cvmfs/default.conf
//	4  etc/cvmfs/default.local, then the file named by CVMFSEXEC_LOCAL
//	5  CVMFS_NFILES, CVMFS_USYSLOG and CVMFS_CACHE_BASE, unless step 4 sets them
//	6  CR/etc/cvmfs/domain.d/DOMAIN.conf, domain.d/DOMAIN.conf, domain.d/DOMAIN.local
//	7  CR/etc/cvmfs/config.d/REPO.conf, config.d/REPO.conf, config.d/REPO.local
//	8  CVMFS_AUTHZ_CVMFS_DIST
//
// It is the order of upstream's client (cvmfs/options.cc, ParseDefault) with the
// additions of cvmfsexec's mountrepo. What CVMFSEXEC_LOCAL or --set give stays: they
// are in force from step 4, or from the beginning, and no later file changes them, so
// that values which files derive from others (the CDN, when the proxy is DIRECT)
// follow them too.
//
// # Paths
//
// While files are evaluated, /etc, /var and /cvmfs mean the dist tree's and
// CVMFS_MOUNT_DIR is /cvmfs, as on a machine with an installed client. In the values
// that come out they are relocated: to DIST/etc, DIST/var and the mount directory. See
// [relocator] for what counts as a path. Values of --set are the host's: they stay.
package config

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/shellconf"
)

// Options say where things are. Paths are absolute.
type Options struct {
	// Dist is the dist tree.
	Dist string
	// MountDir is where the repositories are mounted, as the client and its values
	// see it. Empty means Dist/cvmfs.
	MountDir string
	// ConfigRepo is the configuration repository. Empty: what the files say,
	// see [ConfigRepository].
	ConfigRepo string
	// ConfigRepoDir is where the configuration repository can be read now. Empty: it is
	// not mounted; that is an error when CVMFS_CONFIG_REPO_REQUIRED is on.
	ConfigRepoDir string
	// LogDir gets REPO.log, unless default.local sets CVMFS_USYSLOG. Empty: no default.
	LogDir string
	// CacheBase is the cache, unless default.local sets CVMFS_CACHE_BASE. Empty: what
	// the files say.
	CacheBase string
	// RunDir is where the client makes its sockets (CVMFS_RELOAD_SOCKETS). Empty:
	// Dist/var/run/cvmfs.
	RunDir string
	// NoFile is the number of open files the client may have, unless default.local
	// sets CVMFS_NFILES. 0: what the files say.
	NoFile uint64
	// Local is a file like default.local (CVMFSEXEC_LOCAL), stronger than every other
	// file. Empty: none.
	Local string
	// Set has KEY=VALUE, literal, stronger than every file; the last of a key counts.
	Set []string
	// Env has what the files see as environment, such as HOME. The process's is not seen.
	Env map[string]string
	// Seed makes $RANDOM repeatable; 0 is random.
	Seed uint64
}

// Names of files and directories as configuration writes them.
const (
	etc      = "/etc/cvmfs"
	mountDir = "/cvmfs"
)

const (
	configRepoKey    = "CVMFS_CONFIG_REPOSITORY"
	reloadSocketsKey = "CVMFS_RELOAD_SOCKETS"
)

// maxFQRN is the length upstream allows for a repository's name.
const maxFQRN = 60

// ValidFQRN reports whether s is a fully qualified repository name: letters, digits,
// "-", "_" and ".", at least one dot, no empty label, at most 60 characters, no leading dash.
func ValidFQRN(s string) bool {
	if len(s) > maxFQRN || !strings.Contains(s, ".") || strings.HasPrefix(s, "-") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" {
			return false
		}
	}
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// ConfigRepository returns the configuration repository that default.conf, default.d
// and opts.Set name, or "" when there is none. As in upstream, default.local has no say.
func ConfigRepository(ctx context.Context, opts Options) (string, error) {
	b, err := start(ctx, opts, "")
	if err != nil {
		return "", err
	}
	defer b.eval.Close()
	if err := b.distDefaults(); err != nil {
		return "", err
	}
	return b.configRepo()
}

// ForRepo evaluates the configuration of the repository fqrn. Errors carry
// exit.Config and name file and line.
func ForRepo(ctx context.Context, opts Options, fqrn string) (*Config, error) {
	if !ValidFQRN(fqrn) {
		return nil, exit.Errorf(exit.Config, "%q is not a repository name", fqrn)
	}
	if opts.ConfigRepo == "" {
		var err error
		if opts.ConfigRepo, err = ConfigRepository(ctx, opts); err != nil {
			return nil, err
		}
	}
	b, err := start(ctx, opts, fqrn)
	if err != nil {
		return nil, err
	}
	defer b.eval.Close()
	for _, step := range []func() error{b.distDefaults, b.sharedDefaults, b.locals, b.ours, b.domain, b.repo} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.result()
}

// A builder goes through the steps of the package doc.
type builder struct {
	opts Options
	fqrn string
	eval *shellconf.Evaluator
	set  map[string]string // of opts.Set
	cr   string            // the configuration repository's path when its files count, else ""
	// local is the first call of Source whose assignments count as the user's.
	local int
}

func start(ctx context.Context, opts Options, fqrn string) (*builder, error) {
	opts.Dist = filepath.Clean(opts.Dist)
	if opts.MountDir == "" {
		opts.MountDir = filepath.Join(opts.Dist, "cvmfs")
	}
	if opts.ConfigRepo != "" && !ValidFQRN(opts.ConfigRepo) {
		return nil, exit.Errorf(exit.Config, "%s: %q is not a repository name", configRepoKey, opts.ConfigRepo)
	}
	set, err := parseSet(opts.Set)
	if err != nil {
		return nil, err
	}
	e, err := shellconf.New(ctx, shellconf.Options{Roots: roots(opts), Env: opts.Env, Seed: opts.Seed})
	if err != nil {
		return nil, err
	}
	b := &builder{opts: opts, fqrn: fqrn, eval: e, set: set}
	if err := b.preset(); err != nil {
		e.Close()
		return nil, err
	}
	return b, nil
}

// roots are what the files may read.
func roots(opts Options) []shellconf.Root {
	r := []shellconf.Root{
		{Path: "/etc", Dir: filepath.Join(opts.Dist, "etc")},
		{Path: "/var", Dir: filepath.Join(opts.Dist, "var")},
		{Path: mountDir, Dir: filepath.Join(opts.Dist, "cvmfs")},
	}
	if opts.Dist != mountDir {
		r = append(r, shellconf.Root{Path: opts.Dist, Dir: opts.Dist})
	}
	if opts.ConfigRepo != "" && opts.ConfigRepoDir != "" {
		r = append(r, shellconf.Root{Path: path.Join(mountDir, opts.ConfigRepo), Dir: opts.ConfigRepoDir})
	}
	return r
}

// setOrigin is where the values of opts.Set come from, as Show says it.
const setOrigin = "--set"

func parseSet(list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, kv := range list {
		key, value, ok := strings.Cut(kv, "=")
		if !ok || key == "" {
			return nil, exit.Errorf(exit.Config, "%s %q: not KEY=VALUE", setOrigin, kv)
		}
		m[key] = value
	}
	return m, nil
}

// preset sets what no file may change.
func (b *builder) preset() error {
	if err := b.fix("CVMFS_MOUNT_DIR", mountDir, "", false); err != nil {
		return err
	}
	if b.fqrn != "" {
		if err := b.fix("CVMFS_FQRN", b.fqrn, "", false); err != nil {
			return err
		}
	}
	if b.set[reloadSocketsKey] == "" {
		dir := b.opts.RunDir
		if dir == "" {
			dir = "/var/run/cvmfs"
		}
		if err := b.fix(reloadSocketsKey, dir, "", true); err != nil {
			return err
		}
	}
	keys := make([]string, 0, len(b.set))
	for k := range b.set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if k == "CVMFS_MOUNT_DIR" || k == "CVMFS_FQRN" {
			return exit.Errorf(exit.Config, "%s %s: it cannot be changed", setOrigin, k)
		}
		if err := b.fix(k, b.set[k], setOrigin, true); err != nil {
			return err
		}
	}
	if b.opts.ConfigRepo != "" && b.set[configRepoKey] == "" {
		return b.fix(configRepoKey, b.opts.ConfigRepo, "", true)
	}
	return nil
}

func (b *builder) fix(key, value, origin string, quiet bool) error {
	if origin == "" {
		origin = "cvmfsexec"
	}
	if err := b.eval.Set(key, value, origin); err != nil {
		return err
	}
	b.eval.Pin(key, quiet)
	return nil
}

// source evaluates a file that need not exist.
func (b *builder) source(p string) error {
	_, err := b.eval.Source(shellconf.File{Path: p})
	return err
}
