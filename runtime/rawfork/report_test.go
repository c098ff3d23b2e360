package rawfork

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// An errno with a label of its own goes there, any other failure does not.
func TestWhen(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("no format\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var tab Table
	none := tab.NewLabel()
	argv, env := tab.Strv([]string{"x"}), tab.Strv(nil)
	for _, path := range []string{"/nonexistent", script, "/bin/sh"} {
		tab.Exec("execute "+path, unix.SYS_EXECVE, tab.Str(path), argv, env).Ignore().When(unix.ENOEXEC, none)
	}
	tab.Place(none)
	tab.Exit(9)
	fails, ws := start(t, &tab, 0)
	if len(fails) != 2 || fails[0].Err != unix.ENOENT || fails[1].Err != unix.ENOEXEC || ws.ExitStatus() != 9 {
		t.Errorf("failures %v, status %#x; want ENOENT, ENOEXEC and no shell", fails, ws)
	}
}

// A child that lays out the low descriptors for a program still reports that it could
// not execute it.
func TestReportSurvivesLowDescriptors(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p, err := reportPipe()
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(p[0])
	unix.Close(p[1])
	if p[1] < firstReport {
		t.Errorf("the report goes to descriptor %d", p[1])
	}
	var tab Table
	for fd := 3; fd < firstReport; fd++ {
		if uintptr(fd) != null.Fd() {
			tab.Call("dup", unix.SYS_DUP3, Int(null.Fd()), Int(fd), Int(0))
		}
	}
	tab.Exec("execute", unix.SYS_EXECVE, tab.Str("/nonexistent"), tab.Strv([]string{"x"}), tab.Strv(nil))
	fails, ws := start(t, &tab, 0)
	if len(fails) != 1 || fails[0].Name != "execute" || ws.ExitStatus() != failStatus {
		t.Errorf("failures %v, status %#x; want the exec", fails, ws)
	}
}
