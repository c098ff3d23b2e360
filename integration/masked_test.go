package integration

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// masked makes cmd run where /proc is partly covered, as docker and kubernetes do it: in
// a private mount namespace, made by root, whose only proc file system carries another
// mount. There no new /proc can be mounted in a user namespace.
func masked(t *testing.T, b *bundle, args ...string) *exec.Cmd {
	t.Helper()
	// only what comes after the preparation carries the marker
	script := `set -e; mount --bind "$1" /proc/sys; mark=$2; shift 2
exec env "$mark" setpriv --reuid ` + itoa(testenv.UID()) + ` --regid ` + itoa(testenv.GID()) + ` --clear-groups "$@"`
	cmd := exec.Command("unshare", append([]string{"-m", "--propagation", "private", "sh", "-c", script, "sh", testenv.Dir(t), b.marker.Env()}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	return cmd
}

func needsMaskedProc(t *testing.T, b *bundle) {
	t.Helper()
	testenv.Needs(t, testenv.RootUser, testenv.Tool("unshare", "util-linux"), testenv.Tool("setpriv", "util-linux"))
	if out, err := masked(t, b, "unshare", "-Urmpf", "--mount-proc", "true").CombinedOutput(); err == nil || !strings.Contains(string(out), "ermitted") {
		testenv.Skip(t, fmt.Sprintf("a covered /proc does not forbid a new one here: %v %q", err, out))
	}
}

// With a masked /proc there is no pid namespace: the command sees the host's pids, and
// everything, daemons included, still ends with it.
func TestMaskedProc(t *testing.T) {
	b, repo := quick(t)
	needsMaskedProc(t, b)
	p := probe(t)
	r := b.finish(masked(t, b, b.path, repo, "--", p, "cat", "/cvmfs/"+repo+"/README", "status", "NSpid", "daemon", "exit", "9"))
	if r.code != 9 || !strings.HasPrefix(r.stdout, "hello from "+repo+"\nNSpid:\t") || r.stderr != "" {
		t.Fatalf("%d %q %q", r.code, r.stdout, r.stderr)
	}
	if pids := strings.Fields(strings.SplitN(r.stdout, "NSpid:", 2)[1]); len(pids) != 1 || pids[0] == "1" {
		t.Errorf("pids %q; want one, the host's", pids)
	}
	cmd := masked(t, b, b.path, repo, "--", p, "kill", "15")
	b.finish(cmd)
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != unix.SIGTERM {
		t.Errorf("ended with %v", cmd.ProcessState)
	}
}

// P7 without a pid namespace: SIGKILL of any one process leaves nothing.
func TestMaskedProcChaos(t *testing.T) {
	b, repo := quick(t)
	needsMaskedProc(t, b)
	p := probe(t)
	b.must(repo, "--", p, "exit", "0")
	for _, seed := range testenv.Seeds(t, 8, 100) {
		rng := rand.New(rand.NewPCG(seed, 11))
		cmd := masked(t, b, b.path, repo, "--", p, "daemon", "sleep", "600000")
		struck := b.strike(cmd, rng, 120*time.Millisecond)
		if t.Failed() {
			t.Fatalf("seed %d: after SIGKILL of %s", seed, struck)
		}
	}
}
