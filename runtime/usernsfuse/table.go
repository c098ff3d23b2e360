package usernsfuse

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/runtime/clientproc"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/maps"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/mode"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/newroot"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/plan"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawfork"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/repoconf"
)

// run is one run of a job: what is known beforehand and the descriptors that are open
// for it.
type run struct {
	job     *mode.Job
	layout  newroot.Layout
	confs   []plan.Client // repositories whose clients start before init
	pending []string
	foreign []int
	userNS  bool
	pidNS   bool

	control        int      // our end of the control socket
	inner          *os.File // init's end
	self           *os.File
	null           *os.File
	pidsIn, pidsTo *os.File
	outIn, outTo   []*os.File // of each client in confs
	configs        []*os.File
	fuse           []int
	planFile       *os.File
}

// open opens every descriptor that the child needs. All have numbers of 10 and more:
// the client's own are below.
func (r *run) open() (err error) {
	var inner int
	if r.control, inner, err = plan.Socket(); err != nil {
		return err
	}
	if r.inner, err = clientproc.High(os.NewFile(uintptr(inner), "control")); err != nil {
		return err
	}
	if r.self, err = openHigh("/proc/self/exe"); err != nil {
		return err
	}
	if r.null, err = openHigh(os.DevNull); err != nil {
		return err
	}
	if r.pidsIn, r.pidsTo, err = pipe(); err != nil {
		return err
	}
	for range r.confs {
		i, t, err := pipe()
		if err != nil {
			return err
		}
		r.outIn, r.outTo = append(r.outIn, i), append(r.outTo, t)
	}
	for _, c := range r.confs {
		f, err := clientproc.ConfigFile([]byte(c.Config), r.job.State)
		if err != nil {
			return err
		}
		r.configs = append(r.configs, f)
	}
	if r.fuse, err = clientproc.FreeFDs(r.null, len(r.confs)); err != nil {
		return err
	}
	r.planFile, err = clientproc.ConfigFile(nil, r.job.State)
	return err
}

func openHigh(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return clientproc.High(f)
}

func pipe() (in, to *os.File, err error) {
	if in, to, err = os.Pipe(); err != nil {
		return nil, nil, err
	}
	if in, err = clientproc.High(in); err != nil {
		return nil, nil, err
	}
	to, err = clientproc.High(to)
	return in, to, err
}

// marks are the steps by which a failure is told.
type marks struct {
	proc  int
	mount map[int]string // step of a fuse mount -> repository
}

// table is what the child does until it executes init.
func (r *run) table() (*rawfork.Table, *marks, error) {
	t := new(rawfork.Table)
	t.Call("close", unix.SYS_CLOSE, rawfork.Int(r.control))
	if r.pidNS {
		t.Call("death signal", unix.SYS_PRCTL, rawfork.Int(unix.PR_SET_PDEATHSIG), rawfork.Int(unix.SIGKILL))
	}
	clientproc.Alive(t, int(r.inner.Fd()))
	if r.userNS {
		maps.Add(t, 0, os.Geteuid(), 0, os.Getegid())
	}
	layout := r.layout
	layout.NewProc = r.pidNS
	t.Call("umask", unix.SYS_UMASK, rawfork.Int(0o022)) // also for the directories of the layout
	m := &marks{proc: layout.AddTo(t).Proc, mount: map[int]string{}}
	client := clientproc.New(r.job.Dist, r.job.Env)
	watch := -1
	if !r.pidNS {
		watch = int(r.inner.Fd())
	}
	for i, c := range r.confs {
		mount := clientproc.Mount{Repo: c.Repo, Dir: repoconf.MountDir + "/" + c.Repo, Config: r.configs[i], Output: r.outTo[i], FuseFD: r.fuse[i], Debug: c.Debug, DefaultPermissions: c.Checks}
		step := mount.AddTo(t, client, clientproc.Fork{Null: int(r.null.Fd()), Foreign: r.foreign, PidSpace: make([]byte, 4), PidTo: int(r.pidsTo.Fd()), Watch: watch, NoFile: r.job.Inherit.NoFile})
		m.mount[step] = c.Repo
	}
	if err := r.writePlan(); err != nil {
		return nil, nil, err
	}
	for _, fd := range r.passed() {
		t.Call("pass a descriptor", unix.SYS_FCNTL, rawfork.Int(fd), rawfork.Int(unix.F_SETFD), rawfork.Int(0))
	}
	t.Call("umask", unix.SYS_UMASK, rawfork.Int(r.job.Umask))
	planFD := strconv.Itoa(int(r.planFile.Fd()))
	argv := t.Strv([]string{plan.InitName, planFD})
	env := t.Strv(nil)
	t.Call("execute init", unix.SYS_EXECVEAT, rawfork.Int(int(r.self.Fd())), t.Str(""), argv, env, rawfork.Int(unix.AT_EMPTY_PATH)).Ignore()
	// before Linux 3.19 there is no execveat
	t.Exec("execute init", unix.SYS_EXECVE, t.Str(fmt.Sprintf("/proc/self/fd/%d", r.self.Fd())), argv, env)
	return t, m, nil
}

// passed are the descriptors that init gets.
func (r *run) passed() []int {
	fds := []int{int(r.planFile.Fd()), int(r.inner.Fd()), int(r.pidsIn.Fd()), int(r.null.Fd())}
	for _, f := range r.outIn {
		fds = append(fds, int(f.Fd()))
	}
	return fds
}

// writePlan writes down what init has to know.
func (r *run) writePlan() error {
	j := r.job
	p := plan.Plan{
		Dist: plan.Text(j.Dist), NoExec: j.NoExec, State: plan.Text(j.State), Sealed: plan.Text(r.layout.Sealed()),
		UserNS: r.userNS, PIDNS: r.pidNS, UID: os.Geteuid(), GID: os.Getegid(),
		Dir: plan.Text(j.Dir), Command: plan.Texts(j.Command), Env: plan.Texts(j.Env), Inherit: j.Inherit, Foreign: r.foreign,
		Control: int(r.inner.Fd()), PIDs: int(r.pidsIn.Fd()), Null: int(r.null.Fd()),
		ConfigRepo: j.ConfigRepo, Pending: r.pending, Local: plan.Text(j.Local), Set: plan.Texts(j.Set), CacheBase: plan.Text(j.CacheBase), RunDir: plan.Text(j.RunDir),
		MountLimit: mountLimit,
	}
	for i, c := range r.confs {
		c.Output = int(r.outIn[i].Fd())
		p.Started = append(p.Started, c)
	}
	if err := p.Write(r.planFile); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// closeInner closes what only the child needs, so that a client's or init's end shows.
func (r *run) closeInner() {
	for _, f := range append([]*os.File{r.inner, r.self, r.null, r.pidsIn, r.pidsTo, r.planFile}, append(append(r.outIn, r.outTo...), r.configs...)...) {
		if f != nil {
			f.Close()
		}
	}
	r.inner, r.self, r.null, r.pidsIn, r.pidsTo, r.planFile = nil, nil, nil, nil, nil, nil
	r.outIn, r.outTo, r.configs = nil, nil, nil
	for _, fd := range r.fuse {
		unix.Close(fd)
	}
	r.fuse = nil
}

// close closes everything.
func (r *run) close() {
	r.closeInner()
	if r.control >= 0 {
		unix.Close(r.control)
		r.control = -1
	}
}
