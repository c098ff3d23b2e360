package newroot

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/maps"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawfork"
)

// helperVar makes the test binary lay out a root and list it instead of running tests:
// it has to be done in a process that the ordinary user owns.
const helperVar = "NEWROOT_TEST_HELPER"

func TestMain(m *testing.M) {
	if how := os.Getenv(helperVar); how != "" {
		helper(how)
		return
	}
	os.Exit(testenv.Main(m))
}

// helper lays the root out in new namespaces and runs a shell command there.
func helper(how string) {
	runtime.LockOSThread()
	root, command, _ := strings.Cut(how, "|")
	var l Layout
	if err := json.Unmarshal([]byte(root), &l); err != nil {
		panic(err)
	}
	var t rawfork.Table
	maps.Add(&t, 0, os.Getuid(), 0, os.Getgid())
	l.AddTo(&t)
	t.Exec("sh", unix.SYS_EXECVE, t.Str("/bin/sh"), t.Strv([]string{"sh", "-c", command}), t.Strv([]string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin"}))
	flags := uintptr(unix.CLONE_NEWUSER | unix.CLONE_NEWNS)
	if l.NewProc {
		flags |= unix.CLONE_NEWPID
	}
	p, err := t.Start(flags)
	if err != nil {
		panic(err)
	}
	if fails, _ := p.Failures(); len(fails) > 0 {
		os.Stderr.WriteString(fails[0].Error() + "\n")
	}
	var ws unix.WaitStatus
	unix.Wait4(p.PID, &ws, 0, nil)
	os.Exit(ws.ExitStatus())
}

// in runs command in the root that l describes, as the ordinary user, and returns its
// output.
func in(t *testing.T, l Layout, prepare, command string) string {
	t.Helper()
	exe := copySelf(t)
	desc, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	cmd := testenv.As(exec.Command(exe))
	if prepare != "" { // a host as the test wants it: in a mount namespace of root's
		cmd = exec.Command("unshare", "-m", "--propagation", "private", "sh", "-c",
			prepare+`; exec setpriv --reuid `+itoa(testenv.UID())+` --regid `+itoa(testenv.GID())+` --clear-groups "$0"`, exe)
	}
	cmd.Env = []string{helperVar + "=" + string(desc) + "|" + command, "PATH=" + os.Getenv("PATH")}
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func copySelf(t *testing.T) string {
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(testenv.Dir(t), "helper")
	if err := os.WriteFile(exe, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return exe
}

func TestRootEqualsHostPlusCvmfs(t *testing.T) {
	testenv.Needs(t, testenv.UserNS)
	l, err := Read("/")
	if err != nil {
		t.Fatal(err)
	}
	if l.Cover {
		testenv.Skip(t, "the host has a /cvmfs")
	}
	for _, newProc := range []bool{true, false} {
		l.NewProc = newProc
		got := lines(in(t, l, "", "ls -A /"))
		ents, _ := os.ReadDir("/")
		want := []string{"cvmfs"}
		for _, e := range ents {
			want = append(want, e.Name())
		}
		sort.Strings(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("NewProc %v: / (-host +inside):\n%s", newProc, d)
		}
		out := in(t, l, "", "ls -A /cvmfs; touch /cvmfs/x && echo writable; cat /proc/self/comm; grep -c oldroot /proc/self/mountinfo; cat /etc/hostname")
		host, _ := os.ReadFile("/etc/hostname")
		if want := "writable\ncat\n0\n" + string(host); out != want {
			t.Errorf("NewProc %v: inside = %q; want %q", newProc, out, want)
		}
	}
}

func lines(s string) []string {
	out := strings.Fields(s)
	sort.Strings(out)
	return out
}

// oddRoot prepares a host root with every kind of entry. It needs root.
const oddRoot = `
mkdir -p "$TMPDIR"; mount -t tmpfs none /mnt; cd /mnt
for d in bin etc usr lib lib64 sbin proc dev tmp root; do
  if [ -h /$d ]; then ln -s "$(readlink /$d)" $d; elif [ -d /$d ]; then mkdir $d; mount --rbind /$d $d; fi; done
mkdir closed; chmod 700 closed; mkfifo fifo; ln -s /nowhere dangling; echo file > file; echo no > secret; chmod 600 secret
mknod null c 1 3; chmod 666 null; touch "a
b"; mkdir "d d"; mkdir old; touch .hidden
pivot_root . old; cd /; umount -l /old; rmdir /old`

func TestOddEntries(t *testing.T) {
	testenv.Needs(t, testenv.UserNS, testenv.RootUser)
	// the layout is read by the helper's parent on another root: describe it by hand
	l := Layout{NewProc: true}
	for _, d := range []string{"bin", "etc", "usr", "lib", "lib64", "sbin", "proc", "dev", "tmp", "root", "closed", "d d"} {
		e := Entry{Name: d, Kind: Dir}
		if target, err := os.Readlink("/" + d); err == nil {
			e.Kind, e.Target = Link, target
		}
		l.Host = append(l.Host, e)
	}
	for _, f := range []string{"fifo", "file", "secret", "null", "a\nb", ".hidden", "gone"} {
		l.Host = append(l.Host, Entry{Name: f, Kind: File})
	}
	l.Host = append(l.Host, Entry{Name: "dangling", Kind: Link, Target: "/nowhere"})
	out := in(t, l, "TMPDIR="+testenv.Dir(t)+oddRoot,
		`cat /file; cat /secret 2>/dev/null || echo denied; ls /closed 2>/dev/null || echo denied; test -p /fifo && echo fifo; readlink /dangling; test -c /null && echo null > /null && echo device; test -e "/a
b" && echo newline; test -d "/d d" && echo blank; test -e /.hidden && echo hidden; test -e /gone || echo gone`)
	want := "file\ndenied\ndenied\nfifo\n/nowhere\ndevice\nnewline\nblank\nhidden\ngone\n"
	if out != want {
		t.Errorf("inside = %q; want %q", out, want)
	}
}

func TestCover(t *testing.T) {
	testenv.Needs(t, testenv.UserNS, testenv.RootUser)
	prepare := `
mkdir -p "$TMPDIR"; mount -t tmpfs none /mnt; cd /mnt; mkdir cvmfs old; echo host > cvmfs/host
for d in bin etc usr lib lib64 sbin proc dev tmp root; do
  if [ -h /$d ]; then ln -s "$(readlink /$d)" $d; elif [ -d /$d ]; then mkdir $d; mount --rbind /$d $d; fi; done
pivot_root . old; cd /; umount -l /old; rmdir /old`
	out := in(t, Layout{Cover: true, NewProc: true}, "TMPDIR="+testenv.Dir(t)+prepare, "ls -A /cvmfs; touch /cvmfs/x && echo writable; ls /proc/1/stat")
	if want := "writable\n/proc/1/stat\n"; out != want {
		t.Errorf("inside = %q; want %q", out, want)
	}
}
