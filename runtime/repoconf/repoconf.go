// Package repoconf makes the configuration of one repository ready for its client. It
// is what the process on the host, for the first repositories, and init, for those whose
// configuration lies in the configuration repository, have in common.
package repoconf

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/config"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/plan"
)

// Source says where configuration comes from.
type Source struct {
	Dist       string   // the dist tree
	State      string   // directory with log
	ConfigRepo string   // the configuration repository, or ""
	Mounted    bool     // it is mounted, at /cvmfs
	Local      string   // CVMFSEXEC_LOCAL
	Set        []string // --set
	CacheBase  string   // replaces CVMFS_CACHE_BASE; "" does not
	RunDir     string   // directory of the client's sockets; "" is the dist tree's
	Env        []string // what the files see as environment
	NoFile     uint64   // hard limit of open files
}

// MountDir is where mode 3 mounts repositories.
const MountDir = "/cvmfs"

// LoadAll evaluates the configurations of repositories in parallel.
func LoadAll(ctx context.Context, s Source, repos []string) ([]plan.Client, error) {
	confs := make([]plan.Client, len(repos))
	g, ctx := errgroup.WithContext(ctx)
	for i, repo := range repos {
		g.Go(func() error {
			var err error
			confs[i], err = Load(ctx, s, repo)
			return err
		})
	}
	return confs, g.Wait()
}

// Load evaluates the configuration of repo.
func Load(ctx context.Context, s Source, repo string) (plan.Client, error) {
	c, err := config.ForRepo(ctx, Options(s, repo), repo)
	if err != nil {
		return plan.Client{}, exit.Wrap(exit.Config, err)
	}
	text, err := c.Format()
	if err != nil {
		return plan.Client{}, exit.Wrap(exit.Config, err)
	}
	return plan.Client{Repo: repo, Config: plan.Text(text), Debug: c.Get("CVMFS_DEBUGLOG") != "", Checks: !isOff(c.Get("CVMFS_CHECK_PERMISSIONS"))}, nil
}

// isOff reads a switch as upstream does (cvmfs/options.cc, IsOff).
func isOff(s string) bool {
	switch strings.ToUpper(s) {
	case "NO", "OFF", "0", "FALSE":
		return true
	}
	return false
}

// Options are those of package config for repo, "" for none. The configuration
// repository itself is configured without its own files: it may not be serving yet.
func Options(s Source, repo string) config.Options {
	o := config.Options{
		Dist: s.Dist, MountDir: MountDir, ConfigRepo: s.ConfigRepo, LogDir: s.State + "/log",
		CacheBase: s.CacheBase, RunDir: s.RunDir, NoFile: s.NoFile, Local: s.Local, Set: s.Set, Env: environment(s.Env),
	}
	if s.Mounted && s.ConfigRepo != "" && s.ConfigRepo != repo {
		o.ConfigRepoDir = MountDir + "/" + s.ConfigRepo
	}
	return o
}

// environment returns the variables of env as a map. Names that no shell could have and
// values that no configuration can carry are left out.
func environment(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, kv := range env {
		name, value, ok := strings.Cut(kv, "=")
		if ok && isName(name) && len(value) < maxValue && !strings.ContainsAny(value, "\x00\n") {
			m[name] = value
		}
	}
	return m
}

// maxValue bounds a variable's value, in bytes.
const maxValue = 32 << 10

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
