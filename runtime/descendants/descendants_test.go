package descendants

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

func TestStatParent(t *testing.T) {
	tests := []struct{ stat, want string }{
		{"12 (sh) S 7 12 12 0 -1", "7"},
		{"12 (a) b) R 5 (x) S 7 12", "7"}, // the name is "a) b) R 5 (x"
		{"12 () S 3", "3"},
		{"12 (sh) S", ""},
		{"12 sh S 7", ""},
		{"12 (sh)", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := string(statParent([]byte(tt.stat))); got != tt.want {
			t.Errorf("statParent(%q) = %q; want %q", tt.stat, got, tt.want)
		}
	}
}

func FuzzStatParent(f *testing.F) {
	f.Add([]byte("12 (sh) S 7 12 12 0 -1"))
	f.Add([]byte(")))) ("))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := statParent(data); strings.ContainsAny(string(got), " \t\n") {
			t.Errorf("%q of %q", got, data)
		}
	})
}

// Daemons that have left their parents are found and killed, spared processes are not.
func TestKillAll(t *testing.T) {
	testenv.Needs(t, testenv.Tool("setsid", "util-linux"), testenv.Tool("sleep", "coreutils"))
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	marker := testenv.NewMarker()
	spared := exec.Command("sleep", "600")
	if err := spared.Start(); err != nil {
		t.Fatal(err)
	}
	defer spared.Wait()
	defer spared.Process.Kill()
	cmd := exec.Command("sh", "-c", "(setsid sleep 600 & setsid sh -c 'sleep 600; true' &) ; sleep 600 & exec sleep 600")
	cmd.Env = append(os.Environ(), marker.Env())
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); len(marker.PIDs()) < 5 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if !KillAll(func(pid int) bool { return pid == spared.Process.Pid }) {
		t.Error("some are left")
	}
	cmd.Process.Release()
	if left := marker.PIDs(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if got, want := Children(), []int{spared.Process.Pid}; !slices.Equal(got, want) {
		t.Errorf("children %v; want the spared one, %v", got, want)
	}
}

func TestStranger(t *testing.T) {
	if !Stranger(os.Getpid()) {
		t.Error("we are not in our own mount namespace")
	}
	if Stranger(1 << 30) {
		t.Error("a process that is not there is in our mount namespace")
	}
	testenv.Needs(t, testenv.UserNS, testenv.Tool("unshare", "util-linux"))
	cmd := testenv.As(exec.Command("unshare", "-Urm", "sleep", "600"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for deadline := time.Now().Add(10 * time.Second); Stranger(cmd.Process.Pid) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if Stranger(cmd.Process.Pid) {
		t.Error("a process in another mount namespace is in ours")
	}
}
