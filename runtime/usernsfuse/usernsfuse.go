// Package usernsfuse is mode 3: everything happens inside a user, mount and pid
// namespace. The process tree is
//
//	the stub, on the host            passes signals on, ends as the command ended
//	  init, pid 1, fake root         package initproc
//	    cvmfs2 for each repository
//	    the command                  the caller's uid in a second user namespace
//
// The stub forks by hand; the child makes the root, mounts the first repositories and
// forks their clients before it executes the stub again as init, which so starts beside
// the clients instead of before them.
package usernsfuse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/clientproc"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/descendants"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/mode"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/newroot"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/repoconf"
)

// mountLimit is how long a client may take to answer, in seconds. A client has time
// limits of its own for every server; this one is for a client that hangs.
const mountLimit = 300

// Driver runs jobs in mode 3.
type Driver struct{}

var _ mode.Driver = Driver{}

// Mode returns [mode.UsernsFuse].
func (Driver) Mode() mode.Mode { return mode.UsernsFuse }

// Run runs the job. It must be called from the main goroutine, locked to the main
// thread: the death signal of init hangs on it.
func (Driver) Run(ctx context.Context, job *mode.Job) (mode.Result, error) {
	runtime.LockOSThread()
	layout, err := newroot.Read("/")
	if err != nil {
		return mode.Result{}, exit.Wrap(exit.NoMode, err)
	}
	first, pending := job.Repos, []string(nil)
	switch {
	case job.NoExec:
		first, pending = nil, job.Repos // init has to copy the client first
	case job.ConfigRepo != "":
		first, pending = job.Repos[:1], job.Repos[1:]
	}
	foreign, err := clientproc.Foreign()
	if err != nil {
		return mode.Result{}, exit.Wrap(exit.NoMode, fmt.Errorf("look at the open descriptors: %w", err))
	}
	if n := atOnce(job.Inherit.NoFile.Max, len(foreign)); n < len(first) {
		first, pending = first[:n], append(first[n:len(first):len(first)], pending...)
	}
	confs, err := repoconf.LoadAll(ctx, repoconf.Source{
		Dist: job.Dist, State: job.State, ConfigRepo: job.ConfigRepo, Local: job.Local, Set: job.Set,
		CacheBase: job.CacheBase, RunDir: job.RunDir, Env: job.Env, NoFile: job.Inherit.NoFile.Max,
	}, first)
	if err != nil {
		return mode.Result{}, err
	}
	r := run{job: job, layout: layout, confs: confs, pending: pending, foreign: foreign, userNS: !mayMount(), control: -1}
	tty := foreground()
	defer tty.takeBack()
	res, err := r.start(true)
	if errors.Is(err, errMaskedProc) {
		// docker and kubernetes cover parts of /proc; then no new one can be mounted,
		// and without one a pid namespace would make /proc/self a stranger
		res, err = r.start(false)
	}
	return res, err
}

// atOnce returns how many clients may be started before init, at least one: each takes
// some of the descriptors that limit allows. The others are started by init.
func atOnce(limit uint64, foreign int) int {
	const ours, each = 32, 5
	return max(1, (int(min(limit, 1<<20))-foreign-ours)/each)
}

// mayMount reports whether we are real root and may mount: then no user namespace is
// made, since in one that maps only root, root loses access to other users' files.
func mayMount() bool {
	if os.Geteuid() != 0 {
		return false
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// start makes the namespaces and everything in them, and stays until the command has
// ended. Without a pid namespace init and we are subreapers and kill what is left.
func (r *run) start(pidNS bool) (mode.Result, error) {
	r.pidNS = pidNS
	if !pidNS {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return mode.Result{}, exit.Wrap(exit.NoMode, fmt.Errorf("become a subreaper: %w", err))
		}
		keep := map[int]bool{}
		for _, pid := range descendants.Children() {
			keep[pid] = true // of a caller that executed us: not ours
		}
		defer func() {
			if !descendants.KillAll(func(pid int) bool { return keep[pid] || descendants.Stranger(pid) }) {
				r.job.Warn(hangs)
			}
		}()
	}
	defer r.close()
	if err := r.open(); err != nil {
		return mode.Result{}, short(err)
	}
	t, marks, err := r.table()
	if err != nil {
		return mode.Result{}, err
	}
	flags := uintptr(unix.CLONE_NEWNS)
	if r.userNS {
		flags |= unix.CLONE_NEWUSER
	}
	if pidNS {
		flags |= unix.CLONE_NEWPID
	}
	p, err := t.Start(flags)
	if err != nil {
		return mode.Result{}, refused(err)
	}
	r.closeInner()
	fails, err := p.Failures()
	if len(fails) > 0 || err != nil {
		unix.Kill(p.PID, unix.SIGKILL)
		wait(p.PID)
		if err != nil {
			return mode.Result{}, exit.Wrap(exit.NoMode, err)
		}
		return mode.Result{}, marks.explain(fails[0], pidNS)
	}
	return r.supervise(p.PID)
}

func wait(pid int) unix.WaitStatus {
	var ws unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &ws, 0, nil); !errors.Is(err, unix.EINTR) {
			return ws
		}
	}
}
