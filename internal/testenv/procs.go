package testenv

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Marker marks every process that inherits its environment, so that a test finds
// what a run has left behind, wherever it hangs in the process tree.
type Marker string

// NewMarker returns a marker that no other test has.
func NewMarker() Marker {
	return Marker(fmt.Sprintf("%s=%d-%016x", MarkerVar, os.Getpid(), rand.Uint64()))
}

// Env returns the variable to add to a command's environment.
func (m Marker) Env() string { return string(m) }

// PIDs returns the living processes that carry the marker, zombies left out.
func (m Marker) PIDs() []int {
	var pids []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		env, err := os.ReadFile(d + "/environ")
		if err != nil || !bytes.Contains(append([]byte{0}, env...), []byte("\x00"+string(m)+"\x00")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(d)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Gone waits up to limit for every marked process to end and fails the test with
// their command lines when some are left.
func (m Marker) Gone(t testing.TB, limit time.Duration) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		pids := m.PIDs()
		if len(pids) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, pid := range pids {
				cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
				lines := strings.SplitN(string(stat), "\n", 8)
				t.Errorf("process %d is left: %q %q", pid, bytes.ReplaceAll(cmd, []byte{0}, []byte{' '}), lines[:min(len(lines), 7)])
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Mounts returns the lines of this process's mount table that contain part.
func Mounts(t testing.TB, part string) []string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, part) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}
