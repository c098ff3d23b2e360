package integration

import (
	"errors"
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

// counted runs the bundle with a command that counts signals, in a process group and
// session as attr says, calls send when the command is ready, ends it with SIGTERM to
// the outer process, and returns what the command counted.
func counted(t *testing.T, b *bundle, repo string, attr *syscall.SysProcAttr, tty *os.File, send func(pid int)) string {
	t.Helper()
	file := filepath.Join(testenv.Dir(t), "count")
	cmd := b.cmd(repo, "--", probe(t), "count", file)
	if attr != nil {
		if cmd.SysProcAttr != nil {
			attr.Credential = cmd.SysProcAttr.Credential
		}
		cmd.SysProcAttr = attr
	}
	if tty != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(file + ".ready"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			t.Fatal("the command does not start")
		}
	}
	send(cmd.Process.Pid)
	time.Sleep(400 * time.Millisecond)
	syscall.Kill(cmd.Process.Pid, syscall.SIGTERM)
	err := cmd.Wait()
	var ee *exec.ExitError
	if err != nil && (!errors.As(err, &ee) || ee.ExitCode() != 0) {
		t.Errorf("the run ended with %v", err)
	}
	b.gone(5 * time.Second)
	data, _ := os.ReadFile(file)
	return string(data)
}

// The command receives every signal exactly once: sent to the outer process alone, to
// the whole process group, or by a terminal.
func TestSignalsArriveOnce(t *testing.T) {
	b, repo := quick(t)
	sigs := []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGALRM}
	var want strings.Builder
	for _, name := range []string{"SIGALRM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH"} {
		fmt.Fprintln(&want, name, 1)
	}
	t.Run("outer process", func(t *testing.T) {
		got := counted(t, b, repo, nil, nil, func(pid int) {
			for _, sig := range sigs {
				syscall.Kill(pid, sig)
				time.Sleep(30 * time.Millisecond)
			}
		})
		if got != want.String() {
			t.Errorf("counted\n%swant\n%s", got, want.String())
		}
	})
	t.Run("process group", func(t *testing.T) {
		got := counted(t, b, repo, &syscall.SysProcAttr{Setpgid: true}, nil, func(pid int) {
			for _, sig := range sigs {
				syscall.Kill(-pid, sig)
				time.Sleep(30 * time.Millisecond)
			}
		})
		if got != want.String() {
			t.Errorf("counted\n%swant\n%s", got, want.String())
		}
	})
	t.Run("terminal", func(t *testing.T) {
		master, slave := pty(t)
		got := counted(t, b, repo, &syscall.SysProcAttr{Setsid: true, Setctty: true}, slave, func(int) {
			master.Write([]byte{3}) // Ctrl-C
			time.Sleep(50 * time.Millisecond)
			master.Write([]byte{0x1c}) // Ctrl-\
			time.Sleep(50 * time.Millisecond)
			unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100})
			time.Sleep(50 * time.Millisecond)
		})
		if want := "SIGINT 1\nSIGQUIT 1\nSIGTERM 1\nSIGWINCH 1\n"; got != want {
			t.Errorf("counted\n%swant\n%s", got, want)
		}
	})
}

// pty opens a pseudo terminal that the ordinary user may use.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testenv.Skip(t, "needs a pseudo terminal: "+err.Error())
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("/dev/pts/%d", n)
	testenv.Own(t, name)
	slave, err = os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	go func() { // what the terminal shows is of no interest
		buf := make([]byte, 1024)
		for {
			if _, err := master.Read(buf); err != nil {
				return
			}
		}
	}()
	return master, slave
}

// A stop of the command is a stop of the outer process by the same signal, and both go
// on together: what a shell with job control needs.
func TestStopAndContinue(t *testing.T) {
	b, repo := quick(t)
	for _, sig := range []syscall.Signal{unix.SIGTSTP, unix.SIGSTOP, unix.SIGTTIN} {
		flag := filepath.Join(testenv.Dir(t), "flag")
		cmd := b.cmd(repo, "--", probe(t), "wait", flag, "exit", "6")
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		cmd.SysProcAttr.Setpgid = true // not an orphaned group: the test is its parent
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid := cmd.Process.Pid
		command := commandPID(t, b, "wait")
		syscall.Kill(command, sig)
		if ws := waitChange(t, pid); !ws.Stopped() || ws.StopSignal() != sig {
			t.Errorf("%v: the outer process changed to %#x", sig, ws)
		}
		syscall.Kill(-pid, unix.SIGCONT)
		if err := os.WriteFile(flag, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if ws := waitChange(t, pid); !ws.Exited() || ws.ExitStatus() != 6 {
			t.Errorf("%v: the outer process ended with %#x", sig, ws)
		}
		cmd.Process.Release()
		b.gone(5 * time.Second)
	}
}

// commandPID returns the pid of the probe that runs with the given first word.
func commandPID(t *testing.T, b *bundle, word string) int {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, pid := range b.marker.PIDs() {
			cmdline, _ := os.ReadFile("/proc/" + itoa(pid) + "/cmdline")
			if strings.HasPrefix(string(cmdline), probe(t)+"\x00"+word+"\x00") {
				return pid
			}
		}
	}
	t.Fatal("the command does not start")
	return 0
}

func waitChange(t *testing.T, pid int) syscall.WaitStatus {
	t.Helper()
	var ws syscall.WaitStatus
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		got, err := syscall.Wait4(pid, &ws, syscall.WUNTRACED|syscall.WNOHANG, nil)
		if err != nil && err != syscall.EINTR {
			t.Fatal(err)
		}
		if got == pid {
			return ws
		}
	}
	t.Fatal("the outer process does not change its state")
	return ws
}
