package rawfork

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// start runs the table and returns the failed steps and the wait status.
func start(t *testing.T, tab *Table, flags uintptr) ([]*StepError, unix.WaitStatus) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := tab.Start(flags)
	if err != nil {
		t.Fatal(err)
	}
	fails, err := p.Failures()
	if err != nil {
		t.Fatal(err)
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(p.PID, &ws, 0, nil); err != nil {
		t.Fatal(err)
	}
	return fails, ws
}

const cwd = -100 // AT_FDCWD

func (t *Table) mkdir(path string) Step {
	return t.Call("mkdir "+path, unix.SYS_MKDIRAT, Int(cwd), t.Str(path), Int(0o755))
}

func TestStepsErrorsAndLabels(t *testing.T) {
	dir := t.TempDir()
	a, b, c := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	var tab Table
	skip := tab.NewLabel()
	tab.mkdir(a)
	tab.mkdir(a).Ignore()
	tab.mkdir(a).OnError(skip)
	tab.mkdir(b) // jumped over
	tab.Place(skip)
	tab.mkdir(c)
	last := tab.mkdir(filepath.Join(dir, "none", "x"))
	tab.mkdir(b) // not reached
	fails, ws := start(t, &tab, 0)
	if len(fails) != 1 || fails[0].Step != last.Index() || !errors.Is(fails[0], unix.ENOENT) || !strings.Contains(fails[0].Name, "none/x") {
		t.Errorf("failures = %v; want step %d with ENOENT", fails, last.Index())
	}
	if !ws.Exited() || ws.ExitStatus() != failStatus {
		t.Errorf("status = %#x; want exit %d", ws, failStatus)
	}
	for p, want := range map[string]bool{a: true, b: false, c: true} {
		if _, err := os.Stat(p); (err == nil) != want {
			t.Errorf("%s exists: %v; want %v", p, err == nil, want)
		}
	}
}

func TestRegistersForkAndExec(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var tab Table
	child := tab.NewLabel()
	const fd, pid = Reg(0), Reg(1)
	tab.Call("open", unix.SYS_OPENAT, Int(cwd), tab.Str("/dev/null"), Int(unix.O_RDONLY)).Into(fd)
	tab.Call("dup", unix.SYS_DUP3, Val(fd), Int(200), Int(0))
	tab.Fork(child).Into(pid)
	tab.Call("wait", unix.SYS_WAIT4, Val(pid), Int(0), Int(0), Int(0))
	tab.Call("write", unix.SYS_WRITE, Int(w.Fd()), tab.Str("parent\n"), Int(7))
	tab.Exit(7)
	tab.Place(child)
	tab.Call("stdout", unix.SYS_DUP3, Int(w.Fd()), Int(1), Int(0))
	tab.Exec("exec nothing", unix.SYS_EXECVE, tab.Str("/nonexistent"), tab.Strv([]string{"x"}), tab.Strv(nil)).Ignore()
	tab.Exec("exec sh", unix.SYS_EXECVE, tab.Str("/bin/sh"), tab.Strv([]string{"sh", "-c", `echo "child $V"; test -e /proc/self/fd/200`}), tab.Strv([]string{"V=yes"}))
	fails, ws := start(t, &tab, 0)
	w.Close()
	out, _ := io.ReadAll(r)
	if got, want := string(out), "child yes\nparent\n"; got != want {
		t.Errorf("output = %q; want %q", got, want)
	}
	if len(fails) != 1 || fails[0].Name != "exec nothing" {
		t.Errorf("failures = %v; want the first exec", fails)
	}
	if ws.ExitStatus() != 7 {
		t.Errorf("status = %d; want 7", ws.ExitStatus())
	}
}

func TestRefuse(t *testing.T) {
	var tab Table
	tab.Call("uid is not 0", unix.SYS_GETPID).Refuse()
	fails, _ := start(t, &tab, 0)
	if len(fails) != 1 {
		t.Errorf("failures = %v; want one", fails)
	}
}

func TestCloneRefused(t *testing.T) {
	_, err := new(Table).Start(unix.CLONE_NEWUSER | unix.CLONE_FS)
	var ce *CloneError
	if !errors.As(err, &ce) || !errors.Is(err, unix.EINVAL) {
		t.Errorf("Start = %v; want EINVAL as a CloneError", err)
	}
}

// Many forks while other goroutines allocate and make system calls: a child that
// touched the Go runtime would hang or crash.
func TestForkUnderLoad(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	for range 4 {
		go func() {
			var keep [][]byte
			for {
				select {
				case <-stop:
					return
				default:
				}
				keep = append(keep, make([]byte, 1<<12))
				if len(keep) > 100 {
					keep = nil
				}
				os.Stat("/")
			}
		}()
	}
	for range 200 {
		var tab Table
		tab.Call("getpid", unix.SYS_GETPID)
		tab.Exit(3)
		if fails, ws := start(t, &tab, 0); len(fails) != 0 || ws.ExitStatus() != 3 {
			t.Fatalf("failures %v, status %#x", fails, ws)
		}
	}
}

func BenchmarkFork(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for b.Loop() {
		var tab Table
		tab.Exit(0)
		p, err := tab.Start(0)
		if err != nil {
			b.Fatal(err)
		}
		p.Failures()
		unix.Wait4(p.PID, nil, 0, nil)
	}
}
