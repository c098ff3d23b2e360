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

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// P6: signals that a job-control shell or a daemon ignores stay ignored, those that the
// Go runtime does not touch by itself among them.
func TestIgnoredStopSignals(t *testing.T) {
	b, repo := quick(t)
	testenv.Needs(t, testenv.Tool("bash", "bash"))
	p := probe(t)
	for _, traps := range []string{"TSTP", "TTIN TTOU", "CONT", "TSTP TTIN TTOU CONT 34 64", "INT TSTP CHLD"} {
		script := `for s in $1; do trap "" $s; done; shift; exec "$@"`
		run := func(args ...string) *exec.Cmd {
			cmd := testenv.As(exec.Command("bash", append([]string{"-c", script, "bash", traps}, args...)...))
			cmd.Env = append(os.Environ(), b.marker.Env())
			return cmd
		}
		want, err := run(p, "status", "SigIgn").Output()
		if err != nil {
			t.Fatal(err)
		}
		if r := b.finish(run(b.path, repo, "--", p, "status", "SigIgn")); r.stdout != string(want) {
			t.Errorf("%s ignored: inside %q, %s; outside %q", traps, r.stdout, r.stderr, want)
		}
	}
}

// A file that a shell has to run hides what lies behind it in PATH, as with execvp(3).
func TestScriptHidesProgram(t *testing.T) {
	b, repo := quick(t)
	first, second := filepath.Join(b.dir, "first"), filepath.Join(b.dir, "second")
	for _, dir := range []string{first, second} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(first, "tool"), []byte("echo script \"$1\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(probe(t), filepath.Join(second, "tool")); err != nil {
		t.Fatal(err)
	}
	cmd := b.cmd(repo, "--", "tool", "args")
	cmd.Env = append(cmd.Env, "PATH=/no/such:"+first+":"+second)
	cmd.Env = cmd.Env[len(cmd.Env)-1:]
	cmd.Env = append(cmd.Env, b.marker.Env())
	if r := b.finish(cmd); r.stdout != "script args\n" || r.code != 0 || r.stderr != "" {
		t.Errorf("%d %q %q", r.code, r.stdout, r.stderr)
	}
}

// The end of the command is told to a caller that was stopped for a while and did not
// read what came before.
func TestEndReachesStoppedCaller(t *testing.T) {
	b, repo := quick(t)
	done := filepath.Join(b.dir, "done")
	// the command stops and goes on some hundred times, and each stop is told
	script := `me=$$
(i=0; while [ $i -lt 600 ]; do kill -STOP $me; sleep 0.002; kill -CONT $me; sleep 0.001; i=$((i+1)); done; : > "$1") &
wait; exit 7`
	cmd := b.cmd(repo, "--", "/bin/sh", "-c", script, "sh", done)
	cmd.Env = []string{b.marker.Env(), "PATH=/usr/bin:/bin"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(done); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Error("the command does not end")
			break
		}
	}
	time.Sleep(100 * time.Millisecond) // the command ends
	go func() {
		for range 3000 { // each stop told stops the outer process again
			syscall.Kill(cmd.Process.Pid, unix.SIGCONT)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("ended with %v; want status 7", cmd.ProcessState)
	}
	b.gone(5 * time.Second)
}

// Whatever umask the caller has, the repositories can be reached.
func TestUmaskOfCaller(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	for _, mask := range []int{0o777, 0o777, 0o577, 0o077, 0} {
		if mask != 0o577 { // also a first start
			os.RemoveAll(filepath.Join(b.dir, ".cvmfsexec"))
		}
		old := syscall.Umask(mask)
		cmd := b.cmd(repo, "--", p, "ids", "cat", "/cvmfs/"+repo+"/README", "ls", "/cvmfs")
		r := b.finish(cmd)
		syscall.Umask(old)
		want := fmt.Sprintf("%d %d %d\nhello from %s\n%q\n", testenv.UID(), testenv.GID(), mask, repo, repo)
		if r.stdout != want || r.code != 0 || r.stderr != "" {
			t.Errorf("umask %#o: %d %q %q", mask, r.code, r.stdout, r.stderr)
		}
	}
}

// Places with odd names: the run works, or says what to do where a client's
// configuration cannot carry the path.
func TestOddPlaces(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	tests := []struct {
		name string
		code int
	}{
		{"\xff\xfe", 0}, {"col:on;semi", 0}, {"[a]*?", 0}, {`quo"te`, 0}, {`quo'te`, 0}, {`ba\ck`, 0}, {"per%cent", 0},
		{" lead", 0}, {"tab\t", 0}, {"$HOME", 0}, {"-x", 0}, {"a,b=c", 0}, {"new\nline", 10}, {"# hash", 10}, {"\x01", 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(b.dir, tt.name)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			testenv.Own(t, dir)
			path := filepath.Join(dir, "cvmfsexec")
			if err := os.Link(b.path, path); err != nil {
				t.Fatal(err)
			}
			other := &bundle{t: t, path: path, dir: b.dir, marker: b.marker}
			run := func(env string) result {
				cmd := other.cmd(repo, "--", p, "cat", "/cvmfs/"+repo+"/README", "cwd")
				cmd.Dir = dir
				cmd.Env = append(cmd.Env, env)
				return other.finish(cmd)
			}
			want := "hello from " + repo + "\n" + dir + " <nil>\n"
			r := run("A=b")
			if tt.code != 0 {
				if r.code != tt.code || !strings.HasPrefix(r.stderr, "cvmfsexec: error: the tree lies in ") || !strings.Contains(r.stderr, "hint: move the file, or set CVMFSEXEC_DIR") {
					t.Errorf("%d %q %q", r.code, r.stdout, r.stderr)
				}
				r = run("CVMFSEXEC_DIR=" + filepath.Join(b.dir, "other"))
			}
			if r.code != 0 || r.stdout != want {
				t.Errorf("%d %q %q; want %q", r.code, r.stdout, r.stderr, want)
			}
		})
	}
}

// Many repositories under low limits of open files: soft limits are no limit for us, and
// what cannot be is said with its remedy.
func TestLimitOfOpenFiles(t *testing.T) {
	needsMode3(t)
	testenv.Needs(t, testenv.Tool("prlimit", "util-linux"))
	var pubs []*testrepo.Published
	var names []string
	keys := map[string][]byte{}
	for i := range 20 {
		repo := testrepo.New(fmt.Sprintf("r%d.example.org", i))
		repo.File("README", "hello\n")
		pub, err := repo.Publish(filepath.Join(t.TempDir(), "repo"))
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("r%d.example.org", i)
		pubs, names, keys[name] = append(pubs, pub), append(names, name), pub.PublicKeyPEM
	}
	b := newBundle(t, testrepo.Serve(t, pubs...), keys)
	p := probe(t)
	for _, tt := range []struct {
		limit string
		code  int
	}{
		{"1024:4096", 0}, {"64:4096", 0}, {"64:64", 0}, {"20:20", 20},
	} {
		args := append([]string{"--nofile=" + tt.limit, b.path}, names...)
		cmd := testenv.As(exec.Command("prlimit", append(args, "--", p, "inherited", "cat", "/cvmfs/"+names[19]+"/README")...))
		cmd.Env = []string{b.marker.Env()}
		r := b.finish(cmd)
		switch {
		case r.code != tt.code:
			t.Errorf("limit %s: %d %q %q", tt.limit, r.code, r.stdout, r.stderr)
		case r.code == 0 && !strings.HasSuffix(r.stdout, "nofile "+strings.ReplaceAll(tt.limit, ":", "/")+"\nhello\n"):
			t.Errorf("limit %s: the command sees %q", tt.limit, r.stdout)
		case r.code != 0 && !strings.Contains(r.stderr, "hint: raise the limit of open files: ulimit -n"):
			t.Errorf("limit %s: %q", tt.limit, r.stderr)
		}
	}
}

// The machine allows one user namespace, but not the command's own inside.
func TestOneUserNamespace(t *testing.T) {
	testenv.Needs(t, testenv.RootUser, testenv.Tool("setpriv", "util-linux"))
	b, repo := quick(t)
	attr := &syscall.SysProcAttr{
		Cloneflags:                 syscall.CLONE_NEWUSER,
		UidMappings:                []syscall.SysProcIDMap{{Size: 65536}},
		GidMappings:                []syscall.SysProcIDMap{{Size: 65536}},
		GidMappingsEnableSetgroups: true,
	}
	r := b.finish(prepared(t, b, attr, "echo 1 > /proc/sys/user/max_user_namespaces", b.path, repo, "--", probe(t), "exit", "0"))
	if r.code != 20 || !strings.Contains(r.stderr, "make a user namespace for the command: no space left on device (the limit of user namespaces is reached)") || !strings.Contains(r.stderr, "user.max_user_namespaces") {
		t.Errorf("%d %q", r.code, r.stderr)
	}
}

// Ctrl-\ at any moment ends the run by that signal, without a word; where the caller
// ignores a signal it does nothing.
func TestQuitWhileStarting(t *testing.T) {
	b, repo := quick(t)
	for i := range 16 {
		if err := os.RemoveAll(filepath.Join(b.dir, ".cvmfsexec")); err != nil {
			t.Fatal(err)
		}
		cmd := b.cmd(repo, "--", "/bin/sleep", "600")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 4 * time.Millisecond)
		cmd.Process.Signal(unix.SIGQUIT)
		cmd.Wait()
		if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != unix.SIGQUIT || stderr.Len() > 0 {
			t.Errorf("after %d ms: %v %.300q", i*4, cmd.ProcessState, stderr.String())
		}
		b.gone(5 * time.Second)

		os.RemoveAll(filepath.Join(b.dir, ".cvmfsexec"))
		cmd = testenv.As(exec.Command("/bin/sh", "-c", `trap "" QUIT TERM; exec "$@"`, "sh", b.path, repo, "--", "/bin/sleep", "0.2"))
		cmd.Env = []string{b.marker.Env()}
		stderr.Reset()
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i+2) * 4 * time.Millisecond)
		cmd.Process.Signal(unix.SIGQUIT)
		cmd.Process.Signal(unix.SIGTERM)
		cmd.Wait()
		if !cmd.ProcessState.Success() || stderr.Len() > 0 {
			t.Errorf("ignored, after %d ms: %v %.300q", i*4+8, cmd.ProcessState, stderr.String())
		}
		b.gone(5 * time.Second)
	}
}

// Without a pid namespace the outer process inherits orphans that are none of its own:
// those of processes that the caller had started before it executed the bundle.
func TestMaskedProcSparesStrangers(t *testing.T) {
	b, repo := quick(t)
	needsMaskedProc(t, b)
	dir := testenv.Dir(t)
	flag, pidFile := filepath.Join(dir, "orphan"), filepath.Join(dir, "pid")
	script := `(env -i sleep 600 >/dev/null 2>&1 & echo $! > "$1"; while ! [ -e "$2" ]; do sleep 0.01; done) &
shift 2; exec "$@"`
	cmd := masked(t, b, "/bin/sh", "-c", script, "sh", pidFile, flag, b.path, repo, "--",
		"/bin/sh", "-c", `: > "$1"; setsid sleep 600 & sleep 0.3; exit 4`, "sh", flag)
	r := b.finish(cmd)
	if r.code != 4 {
		t.Errorf("%d %q", r.code, r.stderr)
	}
	data, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(trim(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, unix.SIGKILL); err != nil {
		t.Errorf("the caller's own process: %v; want it alive", err)
	}
}

// A warning that cannot be written does not end the run.
func TestWarningNobodyReads(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	b.must(repo, "--", p, "exit", "0")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	file := filepath.Join(testenv.Dir(t), "count")
	cmd := b.cmd(repo, "--", "/bin/sh", "-c", `exec "$1" count "$2" 2>/dev/null`, "sh", p, file)
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for seen := time.Now().Add(10 * time.Second); time.Since(seen) < time.Second; time.Sleep(10 * time.Millisecond) {
		for _, pid := range b.pids() { // clients, until they are given up
			if name, _ := os.ReadFile("/proc/" + itoa(pid) + "/cmdline"); strings.Contains(string(name), "cvmfs2\x00-o") {
				syscall.Kill(pid, syscall.SIGKILL)
				if _, err := os.Stat(file + ".ready"); err == nil {
					seen = time.Now()
				}
			}
		}
	}
	syscall.Kill(cmd.Process.Pid, unix.SIGTERM)
	cmd.Wait()
	if !cmd.ProcessState.Success() {
		t.Errorf("ended with %v; want the command's status 0", cmd.ProcessState)
	}
	b.gone(5 * time.Second)
}

// An interactive shell as the command takes the terminal and cannot give it back, since
// the caller's process group has no number in its pid namespace. The run does that.
func TestTerminalIsGivenBack(t *testing.T) {
	b, repo := quick(t)
	testenv.Needs(t, testenv.Tool("bash", "bash"))
	b.must(repo, "--", probe(t), "exit", "0")
	_, slave := pty(t)
	file := filepath.Join(testenv.Dir(t), "out")
	script := `"$@"; ps=$(cut -d" " -f5,8 /proc/$$/stat); echo "$ps" > "$0"`
	cmd := testenv.As(exec.Command("/bin/sh", "-c", script, file, b.path, repo, "--", "bash", "--norc", "--noprofile", "-i", "-c", "sleep 0.05; exit 5"))
	cmd.Env = []string{b.marker.Env(), "PATH=/usr/bin:/bin"}
	attr := &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if cmd.SysProcAttr != nil {
		attr.Credential = cmd.SysProcAttr.Credential
	}
	cmd.SysProcAttr = attr
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	b.gone(5 * time.Second)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if f := strings.Fields(string(data)); len(f) != 2 || f[0] != f[1] {
		t.Errorf("process group and the terminal's: %q; want them equal", data)
	}
}
