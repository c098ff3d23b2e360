// Package repoconf makes the configuration of one repository ready for its client. It
// is what the process on the host, for the first repositories, and init, for those whose
// configuration lies in the configuration repository, have in common.
package repoconf

import (
	"context"

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
	NoFile     uint64   // hard limit of open files
}

// Load evaluates the configuration of repo.
func Load(ctx context.Context, s Source, repo string) (plan.Client, error) {
	o := config.Options{
		Dist: s.Dist, MountDir: "/cvmfs", ConfigRepo: s.ConfigRepo, LogDir: s.State + "/log",
		CacheBase: s.CacheBase, NoFile: s.NoFile, Local: s.Local, Set: s.Set,
	}
	if s.Mounted && s.ConfigRepo != "" && s.ConfigRepo != repo {
		o.ConfigRepoDir = "/cvmfs/" + s.ConfigRepo
	}
	c, err := config.ForRepo(ctx, o, repo)
	if err != nil {
		return plan.Client{}, exit.Wrap(exit.Config, err)
	}
	text, err := c.Format()
	if err != nil {
		return plan.Client{}, exit.Wrap(exit.Config, err)
	}
	return plan.Client{Repo: repo, Config: plan.Text(text), Debug: c.Get("CVMFS_DEBUGLOG") != "", Checks: c.Get("CVMFS_CHECK_PERMISSIONS") != "no"}, nil
}
