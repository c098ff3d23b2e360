package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// What the command inherits has to be what the caller of the bundle had.
func TestCommandInherits(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)

	t.Run("ids, umask, working directory", func(t *testing.T) {
		dir := filepath.Join(b.dir, "a b", "$x,'é")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := b.cmd(repo, "--", p, "ids", "cwd")
		cmd.Dir = dir
		old := syscall.Umask(0o027)
		r := b.finish(cmd)
		syscall.Umask(old)
		want := fmt.Sprintf("%d %d %d\n%s <nil>\n", testenv.UID(), testenv.GID(), 0o027, dir)
		if r.stdout != want || r.code != 0 {
			t.Errorf("got %q, %d, %s; want %q", r.stdout, r.code, r.stderr, want)
		}
	})

	t.Run("environment", func(t *testing.T) {
		cmd := b.cmd(repo, "--", p, "env", "LD_LIBRARY_PATH", "env", "GODEBUG", "env", "BYTES", "env", "CVMFSEXEC_CMDFD", "env", "PATH")
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH=/x", "GODEBUG=a=b", "BYTES=\xff\n\x01")
		want := "\"/x\"\n\"a=b\"\n\"\\xff\\n\\x01\"\n\"\"\n\"\"\n"
		if r := b.finish(cmd); r.stdout != want {
			t.Errorf("got %q, %s; want %q", r.stdout, r.stderr, want)
		}
	})

	t.Run("arguments", func(t *testing.T) {
		r := b.run(repo, "--", p, "args", "a b", "", "\xfe", "--", "-x")
		if want := `["a b" "" "\xfe" "--" "-x"]` + "\n"; r.stdout != want {
			t.Errorf("got %q; want %q", r.stdout, want)
		}
	})

	t.Run("standard input and descriptors", func(t *testing.T) {
		in, err := os.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		for _, n := range []int{0, 200} { // a low and a high number
			direct, cmd := testenv.As(exec.Command(p, "fds")), b.cmd(repo, "--", p, "fds")
			for _, c := range []*exec.Cmd{direct, cmd} {
				c.Stdin, c.ExtraFiles = in, make([]*os.File, n+1)
				c.ExtraFiles[0], c.ExtraFiles[n] = in, in
			}
			want, err := direct.Output()
			if err != nil || !strings.Contains(string(want), fmt.Sprintln(3+n, p)) {
				t.Fatalf("descriptors without the bundle: %q, %v", want, err)
			}
			if r := b.finish(cmd); !sameLines(r.stdout, string(want)) {
				t.Errorf("descriptors %q, %s; want %q", r.stdout, r.stderr, want)
			}
		}
	})

	t.Run("signals and limits", func(t *testing.T) {
		// bash sets dispositions before it executes the bundle
		testenv.Needs(t, testenv.Tool("bash", "bash"), testenv.Tool("prlimit", "util-linux"))
		for _, traps := range []string{"", "HUP INT", "TERM PIPE USR1 WINCH CHLD URG QUIT"} {
			script := `for s in $1; do trap "" $s; done; shift; exec prlimit --nofile=300:4000 "$@"`
			look := []string{"status", "SigIgn", "status", "SigBlk", "inherited"}
			direct := testenv.As(exec.Command("bash", append([]string{"-c", script, "bash", traps, p}, look...)...))
			want, err := direct.Output()
			if err != nil {
				t.Fatal(err)
			}
			cmd := testenv.As(exec.Command("bash", append([]string{"-c", script, "bash", traps, b.path, repo, "--", p}, look...)...))
			cmd.Env = append(os.Environ(), b.marker.Env())
			r := b.finish(cmd)
			if r.stdout != string(want) {
				t.Errorf("traps %q: inside %q, %s; outside %q", traps, r.stdout, r.stderr, want)
			}
			if !strings.Contains(r.stdout, "nofile 300/4000") {
				t.Errorf("limit of open files: %q", r.stdout)
			}
		}
	})

	t.Run("supplementary groups", func(t *testing.T) {
		testenv.Needs(t, testenv.RootUser)
		dir := filepath.Join(b.dir, "group")
		if err := os.Mkdir(dir, 0o770); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, 0, 54399); err != nil {
			t.Fatal(err)
		}
		os.Chmod(dir, 0o770)
		cmd := b.cmd(repo, "--", p, "write", dir+"/x", "cat", dir+"/x")
		cmd.SysProcAttr.Credential.Groups = []uint32{54399}
		if r := b.finish(cmd); r.stdout != "<nil>\nx" {
			t.Errorf("got %q, %s", r.stdout, r.stderr)
		}
	})

	t.Run("no privilege over the mounts", func(t *testing.T) {
		r := b.run(repo, "--", p, "status", "CapEff", "status", "NoNewPrivs")
		if want := "CapEff:\t0000000000000000\nNoNewPrivs:\t0\n"; r.stdout != want {
			t.Errorf("got %q; want %q", r.stdout, want)
		}
	})
}

func sameLines(a, b string) bool {
	count := map[string]int{}
	for _, l := range strings.Split(a, "\n") {
		count[l]++
	}
	for _, l := range strings.Split(b, "\n") {
		count[l]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestExitStatus(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	script := filepath.Join(b.dir, "script")
	os.WriteFile(script, []byte("echo script \"$1\"; exit 5\n"), 0o755)
	plain := filepath.Join(b.dir, "plain")
	os.WriteFile(plain, []byte("x"), 0o644)
	tests := []struct {
		name   string
		args   []string
		code   int
		stdout string
		stderr string // a part of it; "": nothing at all
	}{
		{"zero", []string{repo, "--", p, "exit", "0"}, 0, "", ""},
		{"own code", []string{repo, "--", p, "exit", "23"}, 23, "", ""},
		{"script without a first line", []string{repo, "--", script, "arg"}, 5, "script arg\n", ""},
		{"not found", []string{repo, "--", "/no/such"}, 127, "", `cvmfsexec: error: execute "/no/such": no such file or directory`},
		{"not in PATH", []string{repo, "--", "nothing"}, 127, "", `cvmfsexec: error: execute "nothing": command not found`},
		{"not executable", []string{repo, "--", plain}, 126, "", `cvmfsexec: error: execute "` + plain + `": permission denied`},
		{"a directory", []string{repo, "--", "/usr"}, 126, "", `permission denied`},
		{"usage", []string{repo, p}, 1, "", "cvmfsexec: error: -- is missing"},
		{"repository name", []string{"../etc", "--", p}, 1, "", `"../etc" is not a repository name`},
		{"no such repository", []string{"absent.example.org", "--", p}, 23, "", "cvmfsexec: error: mount absent.example.org: "},
		{"image", []string{"-m", "x", repo, "--", p}, 1, "", "later version"},
		{"mode", []string{"--mode", "1", repo, "--", p}, 20, "", "later version"},
		{"version", []string{"-v"}, 0, "0.1.0\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := b.run(tt.args...)
			if r.code != tt.code || r.stdout != tt.stdout || tt.stderr == "" && r.stderr != "" || !strings.Contains(r.stderr, tt.stderr) {
				t.Errorf("%d, %q, %q; want %d, %q, %q", r.code, r.stdout, r.stderr, tt.code, tt.stdout, tt.stderr)
			}
			if tt.stderr != "" && !strings.HasPrefix(r.stderr, "cvmfsexec: error: ") {
				t.Errorf("first line of stderr: %q", r.stderr)
			}
		})
	}
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGKILL, unix.SIGSEGV, unix.SIGINT} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			cmd := b.cmd(repo, "--", p, "kill", fmt.Sprint(int(sig)))
			r := b.finish(cmd)
			if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != sig || ws.CoreDump() || r.stderr != "" {
				t.Errorf("ended with %v, %q; want by %v", cmd.ProcessState, r.stderr, sig)
			}
		})
	}
	t.Run("status file", func(t *testing.T) {
		file := filepath.Join(b.dir, "status")
		b.run("--status-file", file, repo, "--", p, "kill", "15")
		if data, _ := os.ReadFile(file); string(data) != `{"outcome":"ended","code":143,"signal":"SIGTERM"}`+"\n" {
			t.Errorf("status file %q", data)
		}
		b.run("--status-file="+file, "absent.example.org", "--", p)
		if data, _ := os.ReadFile(file); !strings.Contains(string(data), `"outcome":"failed","code":23,"error":"mount absent.example.org`) {
			t.Errorf("status file %q", data)
		}
	})
}

// P10: the root is the host's with /cvmfs, nothing else, and cannot be written to.
func TestRootInside(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	r := b.run(repo, "--", p, "ls", "/", "mkdir", "/newdir", "mkdir", "/cvmfs/x", "ls", "/cvmfs", "cat", "/cvmfs/"+repo+"/README", "write", "/cvmfs/"+repo+"/README")
	got := strings.Split(r.stdout, "\n")
	ents, _ := os.ReadDir("/")
	var names []string
	for _, e := range ents {
		if e.Name() != "cvmfs" {
			names = append(names, fmt.Sprintf("%q", e.Name()))
		}
	}
	if inside := strings.ReplaceAll(" "+got[0]+" ", ` "cvmfs" `, " "); strings.Join(strings.Fields(inside), " ") != strings.Join(names, " ") {
		t.Errorf("/ is %s inside, %s outside", got[0], names)
	}
	want := []string{"mkdir /newdir: read-only file system", "mkdir /cvmfs/x: read-only file system", `"` + repo + `"`, "hello from " + repo,
		"open /cvmfs/" + repo + "/README: read-only file system", ""}
	if strings.Join(got[1:], "\n") != strings.Join(want, "\n") {
		t.Errorf("inside: %q; want %q", got[1:], want)
	}
}

// P1: nothing that is deleted on disk disturbs a running command.
func TestStateDeletedWhileRunning(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	b.must(repo, "--", p, "exit", "0")
	r := b.run(repo, "--", p, "rm", b.dir+"/.cvmfsexec", "rm", b.dir+"/cvmfsexec", "ls", "/cvmfs", "cat", "/cvmfs/"+repo+"/README", "ls", "/cvmfs/"+repo, "ls", "/usr/..")
	if r.code != 0 || !strings.Contains(r.stdout, "hello from") || !strings.Contains(r.stdout, `"`+repo+`"`) || !strings.Contains(r.stdout, `"usr"`) {
		t.Errorf("%d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// P8: a daemon that the command leaves behind ends with the run and does not delay it.
func TestDaemonEndsWithRun(t *testing.T) {
	b, repo := quick(t)
	cmd := b.cmd(repo, "--", probe(t), "daemon", "exit", "3")
	start := time.Now()
	r := b.finish(cmd) // checks that nothing marked is left
	if r.code != 3 {
		t.Errorf("code %d, %s", r.code, r.stderr)
	}
	t.Logf("took %v", time.Since(start))
}

func TestWorkingDirectoryGone(t *testing.T) {
	b, repo := quick(t)
	dir := filepath.Join(b.dir, "gone")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	testenv.Own(t, dir)
	sh := testenv.As(exec.Command("/bin/sh", "-c", `cd "$1"; rmdir "$1"; shift; exec "$@"`, "sh", dir, b.path, repo, "--", probe(t), "cwd"))
	sh.Env = []string{b.marker.Env()}
	r := b.finish(sh)
	if r.stdout != "/ <nil>\n" || !strings.Contains(r.stderr, "cvmfsexec: warning: the working directory") {
		t.Errorf("%q, %q", r.stdout, r.stderr)
	}
}

// Root that may mount takes no user namespace.
func TestAsRoot(t *testing.T) {
	needsMode3(t)
	testenv.Needs(t, testenv.RootUser)
	b, repo := quick(t)
	testenv.Own(t, b.dir)
	cmd := b.cmd(repo, "--", probe(t), "ids", "cat", "/cvmfs/"+repo+"/README", "cat", "/proc/self/uid_map")
	cmd.SysProcAttr = nil
	r := b.finish(cmd)
	if !strings.Contains(r.stdout, "hello from") || !strings.HasPrefix(r.stdout, "0 0 ") || !strings.Contains(r.stdout, "4294967295") {
		t.Errorf("%q, %q", r.stdout, r.stderr)
	}
}
