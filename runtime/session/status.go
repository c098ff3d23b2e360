package session

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/config"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/mode"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/repoconf"
)

// status is the content of --status-file, one JSON object.
type status struct {
	// Outcome is "ended" when the command ran, "failed" when it was not started.
	Outcome string   `json:"outcome"`
	Code    int      `json:"code"`             // the exit status of the run, 128+n on signal n
	Signal  string   `json:"signal,omitempty"` // SIGTERM ...: the signal that ended the command
	Error   string   `json:"error,omitempty"`
	Hints   []string `json:"hints,omitempty"`
}

// writeStatus writes the status file: a temporary file beside it, then a rename. A device
// or a pipe is written to instead.
func writeStatus(path string, res mode.Result, code exit.Code, err error) error {
	st := status{Outcome: "ended", Code: int(code)}
	if res.Signal != 0 {
		st.Code, st.Signal = 128+int(res.Signal), unix.SignalName(unix.Signal(res.Signal))
	}
	if err != nil {
		st.Outcome, st.Error, st.Hints = "failed", err.Error(), exit.HintsOf(err)
	}
	data, merr := json.Marshal(st)
	if merr != nil {
		return merr
	}
	data = append(data, '\n')
	if st, serr := os.Stat(path); serr == nil && !st.Mode().IsRegular() && !st.IsDir() {
		return writeSpecial(path, data)
	}
	f, terr := os.CreateTemp(filepath.Dir(path), ".status-*")
	if terr != nil {
		return terr
	}
	defer os.Remove(f.Name())
	if _, werr := f.Write(data); werr != nil {
		f.Close()
		return werr
	}
	if cerr := f.Close(); cerr != nil {
		return cerr
	}
	return os.Rename(f.Name(), path)
}

// writeSpecial writes to something that is no regular file: /dev/null must stay what it
// is, also when we are root. It does not wait for the reader of a pipe.
func writeSpecial(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// showConfig prints the configuration of a repository. The files of the configuration
// repository are read where it is mounted on the host; without that they are missing,
// and a warning says so.
func (s *session) showConfig(ctx context.Context, j *mode.Job, repo string) error {
	if !config.ValidFQRN(repo) {
		return exit.Errorf(exit.Unclassified, "%q is not a repository name", repo)
	}
	mounted := false
	if dir := repoconf.MountDir + "/" + j.ConfigRepo + "/etc/cvmfs"; j.ConfigRepo != "" && j.ConfigRepo != repo {
		_, err := os.Stat(dir)
		if mounted = err == nil; !mounted {
			s.warn("the configuration repository " + j.ConfigRepo + " is not mounted here: what it says is missing below; run cvmfsexec -- " + os.Args[0] + " --showconfig " + repo + " to see it")
		}
	}
	c, err := config.ForRepo(ctx, repoconf.Options(repoconf.Source{
		Dist: j.Dist, State: j.State, ConfigRepo: j.ConfigRepo, Mounted: mounted, Local: j.Local, Set: j.Set,
		CacheBase: j.CacheBase, RunDir: j.RunDir, Env: j.Env, NoFile: j.Inherit.NoFile.Max,
	}, repo), repo)
	if err != nil {
		return exit.Wrap(exit.Config, err)
	}
	return c.Show(s.stdout)
}
