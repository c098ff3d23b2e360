package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
	"github.com/cvmfsbundle/cvmfsbundle/internal/version"
)

// smallClient configures the recorded repository small.example.org in a new
// namespace.
func smallClient(t testing.TB) (*clientNS, *clientConf) {
	t.Helper()
	ns := newClientNS(t)
	url, key, _ := serveFixture(t, "small.example.org")
	return ns, newClientConf(t, ns.dir, "small.example.org", url, key)
}

// pid returns the client's pid, as the mount tells it.
func (c *clientConf) pid(ns *clientNS) int {
	c.t.Helper()
	text := ns.must("python3", "-c", "import os,sys; print(os.getxattr(sys.argv[1], 'user.pid').decode())", c.mountPoint())
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		c.t.Fatal(err)
	}
	return pid
}

func gone(t testing.TB, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func TestClientBackground(t *testing.T) {
	testenv.Needs(t, testenv.Tool("python3", "python3"))
	ns, c := smallClient(t)
	args := c.args()
	cmd := ns.cmd(testenv.Binary(t, "cvmfs2"), args...)
	cmd.Env = append(cmd.Env, "PATH=")
	r := finish(cmd)
	if want := "CernVM-FS: loading Fuse module... done\nCernVM-FS: mounted cvmfs on " + c.mountPoint() + "\n"; r.code != 0 || r.stdout != want || r.stderr != "" {
		t.Fatalf("%+v, want output %q", r, want)
	}
	if err := os.Remove(filepath.Join(c.dir, c.fqrn+".conf")); err != nil { // as cvmfsexec does
		t.Fatal(err)
	}
	// No wait: the mount is live when the parent has ended.
	if out := ns.must("cat", c.mountPoint()+"/README"); !strings.Contains(out, "") || len(out) != 30 {
		t.Errorf("README is %q", out)
	}
	if m := ns.must("cat", "/proc/self/mountinfo"); !strings.Contains(m, " - fuse cvmfs2 ro,user_id=0,group_id=0,default_permissions,max_read=131072") || !strings.Contains(m, "ro,nosuid,nodev,relatime") {
		t.Errorf("mount table:\n%s", m)
	}
	pid := c.pid(ns)
	if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); string(comm) != "cvmfs2\n" {
		t.Errorf("the process is called %q", comm)
	}
	if dir, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); dir != filepath.Join(c.dir, "cache", c.fqrn) {
		t.Errorf("it works in %q", dir)
	}
	for fd := range 3 {
		if to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); to != "/dev/null" {
			t.Errorf("descriptor %d is %q", fd, to)
		}
	}
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):])); len(f) < 4 || f[3] != strconv.Itoa(pid) {
		t.Errorf("it has no session of its own: %s", stat)
	}
	r = ns.run(testenv.Binary(t, "cvmfs2"), c.args()...)
	if r.code != 0 || !strings.Contains(r.stderr, "CernVM-FS: repository small.example.org already mounted on "+c.mountPoint()) {
		t.Errorf("second start: %+v", r)
	}
	ns.must("umount", c.mountPoint())
	gone(t, pid)
	log := c.log()
	for _, want := range []string{"(small.example.org) CernVM-FS: linking " + c.mountPoint() + " to repository small.example.org\n",
		"(small.example.org) CernVM-FS: unmounted " + c.mountPoint() + " (small.example.org)\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("log lacks %q:\n%s", want, log)
		}
	}
	if _, err := time.Parse(time.ANSIC, log[:24]); err != nil {
		t.Errorf("log line: %v", err)
	}
}

// TestClientForeground ends a client in the foreground by each of the signals.
func TestClientForeground(t *testing.T) {
	testenv.Needs(t, testenv.Tool("python3", "python3"))
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			ns, c := smallClient(t)
			cmd := ns.cmd(testenv.Binary(t, "cvmfs2"), append([]string{"-f"}, c.args()...)...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			waitMounted(t, ns, c)
			if err := syscall.Kill(c.pid(ns), sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("end: %v", err)
			}
			if m := ns.must("cat", "/proc/self/mounts"); strings.Contains(m, " fuse ") {
				t.Errorf("mounts are left:\n%s", m)
			}
		})
	}
}

// TestClientKilled kills the client, and mounts again over what is left of it after
// an unmount.
func TestClientKilled(t *testing.T) {
	testenv.Needs(t, testenv.Tool("python3", "python3"))
	ns, c := smallClient(t)
	bin := testenv.Binary(t, "cvmfs2")
	ns.must(bin, c.args()...)
	for range 3 {
		pid := c.pid(ns)
		syscall.Kill(pid, syscall.SIGKILL)
		gone(t, pid)
		r := ns.run(bin, c.args()...)
		if r.code != 3 || !strings.Contains(r.stderr, "whose client has died") || !strings.Contains(r.stderr, "(3 - permission denied)") {
			t.Errorf("start on a dead mount: %+v", r)
		}
		ns.must("umount", c.mountPoint())
		ns.must(bin, c.args()...)
		if n := len(ns.must("cat", c.mountPoint()+"/README")); n != 30 {
			t.Errorf("README has %d bytes", n)
		}
	}
}

// TestClientDescriptor gives the client a mount made by another, under several
// descriptor numbers, in foreground and background.
func TestClientDescriptor(t *testing.T) {
	ns, c := smallClient(t)
	bin, fusefd := testenv.Binary(t, "cvmfs2"), helper(t, "internal/fusefd")
	for _, fd := range []string{"3", "0", "17"} {
		r := ns.run(fusefd, c.mountPoint(), fd, bin, "-o", "config="+c.file(), c.fqrn, "/dev/fd/"+fd)
		if r.code != 0 || !strings.Contains(r.stdout, "CernVM-FS: pre-mounted on file descriptor "+fd+"\n") || strings.Contains(r.stdout, "mounted cvmfs on") {
			t.Errorf("descriptor %s: %+v", fd, r)
		}
		if n := len(ns.must("cat", c.mountPoint()+"/README")); n != 30 {
			t.Errorf("README has %d bytes", n)
		}
		ns.must("umount", c.mountPoint())
	}
	// The configuration repository itself: nothing below its own mount may be opened.
	own := filepath.Join(c.dir, c.fqrn)
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	testenv.Own(t, own)
	r := ns.run("timeout", "-s", "KILL", "20", fusefd, own, "3", bin, "-o", "config="+c.file("CVMFS_CONFIG_REPOSITORY="+c.fqrn, "CVMFS_MOUNT_DIR="+c.dir), c.fqrn, "/dev/fd/3")
	if r.code != 0 {
		t.Errorf("configuration repository: %+v", r)
	}
	ns.must("umount", own)
	// A failed start must not leave the caller with a mount that hangs.
	r = ns.run(fusefd, c.mountPoint(), "3", bin, "-o", "config="+c.file("CVMFS_PUBLIC_KEY=/nowhere"), c.fqrn, "/dev/fd/3")
	if r.code != 15 {
		t.Errorf("missing key: %+v", r)
	}
	if r := ns.run("stat", c.mountPoint()); r.code == 0 || !strings.Contains(r.stderr, "not connected") && !strings.Contains(r.stderr, "abort") {
		t.Errorf("mount after a failed start: %+v", r)
	}
	r = ns.run(bin, "-o", "config="+c.file(), c.fqrn, "/dev/fd/0")
	if r.code != 4 || !strings.Contains(r.stderr, "is not /dev/fuse") {
		t.Errorf("descriptor that is no fuse: %+v", r)
	}
}

// TestClientExitCodes are the failures that have nothing to do with trust.
func TestClientExitCodes(t *testing.T) {
	ns, c := smallClient(t)
	bin := testenv.Binary(t, "cvmfs2")
	file := filepath.Join(ns.dir, "file")
	writeOwned(t, file, []byte("x"))
	closed := filepath.Join(ns.dir, "closed")
	if err := os.Mkdir(closed, 0o777); err != nil {
		t.Fatal(err)
	}
	testenv.Own(t, closed)
	if err := os.Chmod(closed, 0o777); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   []string
		change string
		code   int
		stderr string
		logged bool
	}{
		{"no arguments", []string{}, "", 2, "a repository and a mount point are needed (2 - illegal options)", false},
		{"unknown option", []string{"-x"}, "", 2, `unknown option "-x"`, false},
		{"absent mount point", []string{"-o", "config=CONF", c.fqrn, "/nowhere"}, "", 3, "Mount point /nowhere does not exist (3 - permission denied)", true},
		{"mount point is a file", []string{"-o", "config=CONF", c.fqrn, file}, "", 3, "does not exist", true},
		{"no proxy", nil, "CVMFS_HTTP_PROXY=", 23, "failed to discover HTTP proxy servers", true},
		{"cache others write to", nil, "CVMFS_CACHE_DIR=" + closed, 9, "can be written by others", true},
		{"cache twice", nil, "CVMFS_CACHE_DIR=/x", 2, "mutually exclusive", false},
		{"server away", nil, "CVMFS_SERVER_URL=http://127.0.0.1:9/x", 16, "Failed to initialize root file catalog: unreachable:", true},
		{"repository away", nil, "CVMFS_SERVER_URL=" + c.vars["CVMFS_SERVER_URL"] + "/x", 16, "Failed to initialize root file catalog: failed:", true},
		{"key away", nil, "CVMFS_PUBLIC_KEY=/nowhere.pub", 15, "failed to load public key(s)", true},
		{"bad root hash", nil, "CVMFS_ROOT_HASH=xyz", 2, "CVMFS_ROOT_HASH", true},
		{"root hash away", nil, "CVMFS_ROOT_HASH=" + strings.Repeat("ab", 20), 16, "Failed to initialize root file catalog: failed:", true},
		{"key inside", nil, "CVMFS_PUBLIC_KEY=/cvmfs/" + c.fqrn + "/keys/x.pub", 2, "lies in the repository that is to be mounted (2 - illegal options)", true},
		{"uid map", nil, "CVMFS_UID_MAP=" + file, 2, "id map", true},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changes := []string{"CVMFS_USYSLOG=" + filepath.Join(ns.dir, fmt.Sprint("log", i)), "CVMFS_CACHE_BASE=" + filepath.Join(ns.dir, fmt.Sprint("cache", i))}
			if strings.HasPrefix(tt.change, "CVMFS_CACHE_DIR="+closed) {
				changes[1] = "CVMFS_CACHE_BASE="
			}
			if tt.change != "" {
				changes = append(changes, tt.change)
			}
			conf := c.file(changes...)
			args := tt.args
			if args == nil {
				args = []string{"-o", "config=CONF", c.fqrn, c.mountPoint()}
			}
			for k := range args {
				args[k] = strings.ReplaceAll(args[k], "CONF", conf)
			}
			for _, mode := range []string{"-s", "-f"} {
				all := args
				if tt.code != 2 || tt.change != "" {
					all = append([]string{mode}, args...)
				}
				r := ns.run(bin, all...)
				if r.code != tt.code || !strings.Contains(r.stderr, tt.stderr) {
					t.Errorf("%s: %+v", mode, r)
				}
				if tt.change != "" && strings.Count(r.stderr, "\n") != 1 {
					t.Errorf("%s: more than a line on standard error: %q", mode, r.stderr)
				}
			}
			if !tt.logged {
				return
			}
			log, err := os.ReadFile(filepath.Join(ns.dir, fmt.Sprint("log", i)))
			if err != nil || !strings.Contains(string(log), tt.stderr) {
				t.Errorf("log: %q, %v", log, err)
			}
		})
	}
}

// TestClientPrints are the runs that mount nothing.
func TestClientPrints(t *testing.T) {
	bin := testenv.Binary(t, "cvmfs2")
	if r := finish(exec.Command(bin, "-h")); r.code != 0 || !strings.HasPrefix(r.stdout, "CernVM-FS: ") || !strings.Contains(r.stdout, "example:") {
		t.Errorf("%+v", r)
	}
	if r := finish(exec.Command(bin, "--version")); r.code != 0 || r.stdout != "CernVM-FS version 2.12.0 (cvmfsbundle "+version.Version+")\n" {
		t.Errorf("%+v", r)
	}
	conf := filepath.Join(t.TempDir(), "conf")
	writeOwned(t, conf, []byte("CVMFS_B=1\nif true; then\n CVMFS_A=\"${CVMFS_B}2 @org@\"\nfi\n"))
	for _, tt := range []struct{ opts, want string }{
		{"config=" + conf, "# CernVM-FS parameters:\nCVMFS_A='12 small'    # from " + conf + "\nCVMFS_B=1    # from " + conf + "\n"},
		{"simple_options_parsing,config=" + conf, "# CernVM-FS parameters:\nCVMFS_A='${CVMFS_B}2 small'    # from " + conf + "\nCVMFS_B=1    # from " + conf + "\n"},
	} {
		if r := finish(exec.Command(bin, "-k", "-o", tt.opts, "small.example.org", "/m")); r.code != 0 || r.stdout != tt.want {
			t.Errorf("%s: %+v", tt.opts, r)
		}
	}
	writeOwned(t, conf, []byte("CVMFS_A=$(id)\n"))
	if r := finish(exec.Command(bin, "-k", "-o", "config="+conf, "small.example.org", "/m")); r.code != 2 || !strings.Contains(r.stderr, conf) {
		t.Errorf("command substitution: %+v", r)
	}
}

// TestClientOffline mounts without a server what an earlier mount has left in the
// cache.
func TestClientOffline(t *testing.T) {
	ns := newClientNS(t)
	dir, key, _ := testrepo.Fixture(t, "small.example.org")
	s := testrepo.Serve(t)
	s.Add("small.example.org", dir)
	c := newClientConf(t, ns.dir, "small.example.org", s.URL, key)
	bin := testenv.Binary(t, "cvmfs2")
	ns.must(bin, c.args()...)
	ns.must("cat", c.mountPoint()+"/README")
	ns.must("umount", c.mountPoint())
	s.Close()
	ns.must(bin, c.args()...)
	if n := len(ns.must("cat", c.mountPoint()+"/README")); n != 30 {
		t.Errorf("README has %d bytes", n)
	}
	if r := ns.run("cat", c.mountPoint()+"/bin/hello"); r.code == 0 || !strings.Contains(r.stderr, "Input/output error") {
		t.Errorf("a file that is not in the cache: %+v", r)
	}
	if log := c.log(); strings.Count(log, "EIO on /bin/hello (open)") != 1 {
		t.Errorf("log:\n%s", log)
	}
}

// TestClientParentKilled kills the waiting parent: the child must not mount.
func TestClientParentKilled(t *testing.T) {
	ns := newClientNS(t)
	dir, key, _ := testrepo.Fixture(t, "small.example.org")
	s := testrepo.Serve(t)
	s.Add("small.example.org", dir)
	gate := make(chan struct{})
	s.Inject(".cvmfspublished", 1, testrepo.Until(gate))
	c := newClientConf(t, ns.dir, "small.example.org", s.URL, key)
	cmd := ns.cmd(testenv.Binary(t, "cvmfs2"), c.args("CVMFS_TIMEOUT_DIRECT=60")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); s.Requests(".cvmfspublished") == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the client asks for no manifest")
		}
	}
	cmd.Process.Kill() // nsenter has become the client's parent process
	cmd.Wait()
	close(gate)
	for deadline := time.Now().Add(20 * time.Second); len(ns.marker.PIDs()) > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the child goes on without its parent")
		}
	}
	if m := ns.must("cat", "/proc/self/mounts"); strings.Contains(m, " fuse ") {
		t.Errorf("mounts are left:\n%s", m)
	}
}
