package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// P7: SIGKILL of any one process of a run leaves no process, mount or file. A killed
// client ends nothing: then the run is ended afterwards.
func TestChaosKill(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	b.must(repo, "--", p, "exit", "0")
	before := files(t, b.dir)
	for _, seed := range testenv.Seeds(t, 25, 200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		cmd := b.cmd(repo, "--", p, "daemon", "sleep", "600000")
		// half of the kills fall into the first 7 ms, where the windows between clone,
		// prctl and exec are
		limit := 7 * time.Millisecond
		if seed%2 == 0 {
			limit = 80 * time.Millisecond
		}
		struck := b.strike(cmd, rng, limit)
		if after := files(t, b.dir); !slices.Equal(before, after) {
			t.Errorf("seed %d: files before %q, after %q", seed, before, after)
		}
		if t.Failed() {
			t.Fatalf("seed %d: after SIGKILL of %s", seed, struck)
		}
	}
}

// strike starts cmd, kills one process of the run with SIGKILL at a moment before limit,
// ends a run that goes on because its client or the command's daemon was the victim, and
// checks that no process and no mount is left. It returns who was killed.
func (b *bundle) strike(cmd *exec.Cmd, rng *rand.Rand, limit time.Duration) string {
	b.t.Helper()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	time.Sleep(time.Duration(rng.Int64N(int64(limit))))
	pids := b.pids()
	victim := cmd.Process.Pid
	if len(pids) > 0 {
		victim = pids[rng.IntN(len(pids))]
	}
	name, _ := os.ReadFile("/proc/" + itoa(victim) + "/cmdline")
	struck := fmt.Sprintf("%d %q", victim, name)
	syscall.Kill(victim, syscall.SIGKILL)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if !waitFor(done, time.Second) {
		// the daemon has no command line at the moment it is executed
		if len(name) > 0 && !strings.Contains(string(name), "cvmfs2") && !strings.Contains(string(name), "probe") {
			b.t.Errorf("the run goes on without process %s", struck)
		}
		cmd.Process.Kill()
		waitFor(done, 5*time.Second)
	}
	b.gone(5 * time.Second)
	return struck
}

func waitFor(done chan error, limit time.Duration) bool {
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}

// files lists what lies in dir, the content of cache and tree left out.
func files(t *testing.T, dir string) []string {
	var out []string
	filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		rel := strings.TrimPrefix(p, dir)
		if err != nil || strings.Contains(rel, "/var/lib/cvmfs/") {
			return nil
		}
		out = append(out, rel)
		return nil
	})
	return out
}

// 200 starts and stops leave no process, mount, descriptor or file.
func TestStartStopCycles(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	b.must(repo, "--", p, "exit", "0")
	before, fds := files(t, b.dir), openFiles()
	for i := range testenv.Count(20, 200) {
		if r := b.run(repo, "--", p, "cat", "/cvmfs/"+repo+"/README"); r.stdout != "hello from "+repo+"\n" || r.code != 0 {
			t.Fatalf("round %d: %d %q %q", i, r.code, r.stdout, r.stderr)
		}
	}
	if after := files(t, b.dir); !slices.Equal(before, after) {
		t.Errorf("files before %q, after %q", before, after)
	}
	if n := openFiles(); n > fds {
		t.Errorf("%d descriptors in use on the machine for fuse before, %d after", fds, n)
	}
}

// openFiles counts the fuse connections of the machine: a mount that hangs on keeps one.
func openFiles() int {
	ents, _ := os.ReadDir("/sys/fs/fuse/connections")
	return len(ents)
}

// A killed client is started again, and the command does not notice more than an error.
func TestClientIsStartedAgain(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	flag := filepath.Join(b.dir, "flag")
	cmd := b.cmd(repo, "--", p, "cat", "/cvmfs/"+repo+"/README", "wait", flag, "cat", "/cvmfs/"+repo+"/README", "ls", "/cvmfs")
	out := make(chan result, 1)
	go func() { out <- b.finish(cmd) }()
	var client int
	for deadline := time.Now().Add(10 * time.Second); client == 0 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, pid := range b.pids() {
			name, _ := os.ReadFile("/proc/" + itoa(pid) + "/comm")
			if string(name) == "cvmfs2\n" && len(b.marker.PIDs()) > 2 {
				client = pid
			}
		}
	}
	time.Sleep(200 * time.Millisecond)
	if client == 0 {
		t.Fatal("no client process found")
	}
	syscall.Kill(client, syscall.SIGKILL)
	time.Sleep(600 * time.Millisecond)
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := <-out
	if want := "hello from " + repo + "\nhello from " + repo + "\n\"" + repo + "\"\n"; r.stdout != want || r.code != 0 {
		t.Errorf("%d %q %q; want %q", r.code, r.stdout, r.stderr, want)
	}
}
