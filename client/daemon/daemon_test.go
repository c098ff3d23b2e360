package daemon

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be the child of the tests below: what it does is
// told by its first argument.
func TestMain(m *testing.M) {
	c := Inside()
	if c == nil {
		os.Exit(m.Run())
	}
	os.Exit(child(c, os.Args[1]))
}

func child(c *Child, what string) int {
	if os.Getenv(envVar) != "" {
		return 90
	}
	switch what {
	case "ready":
		if sid, err := unix.Getsid(0); err != nil || sid != os.Getpid() {
			return 91
		}
		if err := c.Ready(); err != nil {
			return 92
		}
		for fd := range 3 {
			if to, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); to != "/dev/null" {
				return 93
			}
		}
		os.WriteFile(os.Args[2], []byte("lives on"), 0o600)
		return 0
	case "fail":
		return 15
	case "signal":
		unix.Kill(os.Getpid(), unix.SIGKILL)
		time.Sleep(time.Minute)
	case "keep":
		fd, _ := strconv.Atoi(os.Args[2])
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
			return 94
		}
		return 7
	case "orphan":
		c.pipe.Close()
		if err := (&Child{os.NewFile(99, "closed")}).Ready(); err == nil {
			return 95
		}
		return 8
	}
	return 96
}

func TestStart(t *testing.T) {
	mark := t.TempDir() + "/mark"
	code, err := Start([]string{"t", "ready", mark}, nil)
	if code != 0 || err != nil {
		t.Fatalf("ready: %d, %v", code, err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if data, _ := os.ReadFile(mark); string(data) == "lives on" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the child did not go on")
		}
	}
	if code, err := Start([]string{"t", "fail"}, nil); code != 15 || err != nil {
		t.Errorf("fail: %d, %v", code, err)
	}
	if _, err := Start([]string{"t", "signal"}, nil); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("killed child: %v", err)
	}
	if code, err := Start([]string{"t", "orphan"}, nil); code != 8 || err != nil {
		t.Errorf("orphan: %d, %v", code, err)
	}
}

func TestStartKeepsDescriptors(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[1])
	fd, err := unix.FcntlInt(uintptr(p[0]), unix.F_DUPFD_CLOEXEC, 40)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(p[0])
	if code, err := Start([]string{"t", "keep", strconv.Itoa(fd)}, []int{fd}); code != 7 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
}

func TestForeground(t *testing.T) {
	if Inside() != nil {
		t.Error("the test is a child")
	}
	var c *Child
	if err := c.Ready(); err != nil {
		t.Error(err)
	}
}
