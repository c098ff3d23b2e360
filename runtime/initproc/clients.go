package initproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/clientproc"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/plan"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawfork"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/repoconf"
)

// client is a repository's client process.
type client struct {
	plan.Client
	pid      int
	ready    bool
	restarts int
	started  time.Time
	out      *tail
}

// restarts of a client are limited: one that dies again and again has a reason that
// starting it does not mend.
const (
	maxRestarts  = 20
	restartPause = 200 * time.Millisecond
	patience     = 10 * time.Second // how long a mount may take before people are told
	longLife     = time.Hour        // a client that lived so long starts its count again
)

func (c *client) dir() string { return repoconf.MountDir + "/" + c.Repo }

// watch registers a client that has just been started and waits for its first answer.
func (s *state) watch(c *client, output *os.File) {
	c.out = follow(output)
	c.started = time.Now()
	s.clients[c.Repo] = c
	s.byPID[c.pid] = c
	s.waiting++
	dir := c.dir()
	go func() {
		var st unix.Statfs_t
		for {
			err := unix.Statfs(dir, &st)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				s.events <- refused{c}
				return
			}
			s.events <- answered{c}
			return
		}
	}()
	time.AfterFunc(patience, func() { s.events <- slow{c} })
	if s.p.MountLimit > 0 && !c.ready {
		time.AfterFunc(time.Duration(s.p.MountLimit)*time.Second, func() { s.events <- late{c} })
	}
}

func (s *state) answered(c *client) error {
	if s.byPID[c.pid] != c || c.ready {
		return nil // it has ended meanwhile
	}
	c.ready = true
	s.waiting--
	if s.waiting > 0 {
		return nil
	}
	return s.proceed()
}

// slow says what a run is waiting for. A client that tries one server after the other
// takes its time and says nothing meanwhile.
func (s *state) slow(c *client) {
	if !c.ready && s.byPID[c.pid] == c {
		s.warn("still waiting for %s: its client has tried for %v; its log is %s/log/%s.log", c.Repo, patience, s.p.State, c.Repo)
	}
}

// late is a client that has had its time: still running and not serving. When the
// command runs, another one is started in its place.
func (s *state) late(c *client) error {
	if c.ready || s.byPID[c.pid] != c {
		return nil
	}
	if s.command != 0 {
		unix.Kill(c.pid, unix.SIGKILL)
		return nil
	}
	e := exit.Errorf(exit.Mount, "mount %s: the client does not answer", c.Repo)
	if last := c.out.last(); last != "" {
		e = exit.Errorf(exit.Mount, "mount %s: the client does not answer; it said: %s", c.Repo, last)
	}
	return e.Hint("its log is %s/log/%s.log", s.p.State, c.Repo)
}

// clientEnded handles the end of a client.
func (s *state) clientEnded(c *client, ws unix.WaitStatus) error {
	delete(s.byPID, c.pid)
	wasReady := c.ready
	if !wasReady {
		s.waiting--
	}
	if s.command == 0 && !wasReady {
		return clientproc.Failure(c.Repo, ws, c.out.drain(), string(s.p.State))
	}
	pause := restartPause
	if lived := time.Since(c.started); lived > longLife {
		pause, c.restarts = 0, 0
	} else if lived > 10*time.Second {
		pause = 0
	}
	s.again(c, pause, status(ws))
	return nil
}

// again lets a client be started again after a pause, or gives it up. why is how it
// ended.
func (s *state) again(c *client, pause time.Duration, why string) {
	if c.restarts >= maxRestarts {
		s.warn("the client of %s ended %d times, last: %s; %s is not mounted any more", c.Repo, c.restarts+1, why, c.dir())
		return
	}
	time.AfterFunc(pause, func() { s.events <- again{c} })
}

// restart mounts a repository again whose client has ended.
func (s *state) restart(c *client) error {
	unix.Unmount(c.dir(), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	next := &client{Client: c.Client, restarts: c.restarts + 1}
	err := s.startClient(next)
	if err == nil || s.command == 0 {
		return err
	}
	s.again(next, restartPause, err.Error()) // short of processes or descriptors, say
	return nil
}

func status(ws unix.WaitStatus) string {
	if ws.Signaled() {
		return unix.SignalName(ws.Signal())
	}
	return fmt.Sprintf("exit status %d", ws.ExitStatus())
}

// configure evaluates the configurations of repositories and sends the event. They may
// lie in the configuration repository, whose client may hang.
func (s *state) configure(repos []string) {
	done := make(chan loaded, 1)
	go func() {
		confs, err := s.load(context.Background(), repos)
		done <- loaded{confs, err}
	}()
	select {
	case l := <-done:
		s.events <- l
	case <-time.After(time.Duration(s.p.MountLimit) * time.Second):
		s.events <- loaded{err: exit.Errorf(exit.Mount, "read the configuration of %s: no end after %d s", strings.Join(repos, ", "), s.p.MountLimit)}
	}
}

// load evaluates the configurations of repositories, in parallel.
func (s *state) load(ctx context.Context, repos []string) ([]plan.Client, error) {
	return repoconf.LoadAll(ctx, repoconf.Source{
		Dist: string(s.p.Dist), State: string(s.p.State), ConfigRepo: s.p.ConfigRepo, Mounted: true, Local: string(s.p.Local), Set: plan.Strings(s.p.Set),
		CacheBase: string(s.p.CacheBase), RunDir: string(s.p.RunDir), Env: plan.Strings(s.p.Env), NoFile: s.p.Inherit.NoFile.Max,
	}, repos)
}

// mount starts the clients of several repositories.
func (s *state) mount(confs []plan.Client) error {
	for _, conf := range confs {
		if err := s.startClient(&client{Client: conf}); err != nil {
			return err
		}
	}
	if s.waiting == 0 {
		return s.proceed()
	}
	return nil
}

// startClient mounts one repository and starts its client. Our copy of the /dev/fuse
// descriptor is closed then: when the client ends, the kernel ends the connection.
func (s *state) startClient(c *client) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	err = s.mountAndFork(c, w)
	w.Close()
	if err != nil {
		r.Close()
		return exit.Wrap(exit.Mount, fmt.Errorf("mount %s: %w", c.Repo, err))
	}
	s.watch(c, r)
	return nil
}

func (s *state) mountAndFork(c *client, output *os.File) (err error) {
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if dev, err = clientproc.High(dev); err != nil {
		return err
	}
	defer dev.Close()
	conf, err := clientproc.ConfigFile([]byte(c.Config), string(s.p.State))
	if err != nil {
		return err
	}
	defer conf.Close()
	out, err := clientproc.Dup(output)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := os.Mkdir(c.dir(), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := unix.Mount("cvmfs2", c.dir(), "fuse", clientproc.MountFlags, clientproc.MountData(int(dev.Fd()), c.Checks)); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			unix.Unmount(c.dir(), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		}
	}()
	var t rawfork.Table
	m := clientproc.Mount{Repo: c.Repo, Config: conf, Output: out, FuseFD: int(dev.Fd()), Debug: c.Debug}
	m.AddChild(&t, s.client, clientproc.Fork{Null: s.p.Null, Foreign: s.p.Foreign, Watch: s.p.Control, NoFile: s.p.Inherit.NoFile})
	p, err := t.Start(0)
	if err != nil {
		return err
	}
	c.pid = p.PID
	fails, err := p.Failures()
	if len(fails) > 0 {
		err = fails[0]
	}
	return err
}

// tail keeps the end of what a client writes.
type tail struct {
	mu   sync.Mutex
	buf  []byte
	done chan struct{}
}

const tailBytes = 16 << 10

// follow reads f to its end in the background.
func follow(f *os.File) *tail {
	t := &tail{done: make(chan struct{})}
	go func() {
		defer close(t.done)
		defer f.Close()
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			t.mu.Lock()
			t.buf = append(t.buf, buf[:n]...)
			if len(t.buf) > tailBytes {
				t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailBytes:]...)
			}
			t.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return t
}

// last returns the last line so far.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return clientproc.LastLine(string(t.buf))
}

// drain waits a moment for the output to end (a descendant of the client may hold it)
// and returns it.
func (t *tail) drain() string {
	select {
	case <-t.done:
	case <-time.After(500 * time.Millisecond):
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.buf), "?")
}
