package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// prepared makes cmd run after root has prepared a private mount namespace with a
// script; flags and maps make more namespaces around it.
func prepared(t *testing.T, b *bundle, attr *syscall.SysProcAttr, script string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", "set -e; mount --make-rprivate /; " + script +
		"; exec setpriv --reuid " + itoa(testenv.UID()) + " --regid " + itoa(testenv.GID()) + ` --clear-groups "$@"`, "sh"}, args...)...)
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Cloneflags |= syscall.CLONE_NEWNS
	cmd.SysProcAttr = attr
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", b.marker.Env()}
	cmd.Dir = "/"
	return cmd
}

// Where the machine refuses mode 3 the bundle ends with 20, says what was refused and
// what would help, and leaves nothing.
func TestRefusedModes(t *testing.T) {
	testenv.Needs(t, testenv.RootUser, testenv.Tool("setpriv", "util-linux"))
	b, repo := quick(t)
	p := probe(t)
	dir := testenv.Dir(t)
	all := &syscall.SysProcAttr{
		Cloneflags:                 syscall.CLONE_NEWUSER,
		UidMappings:                []syscall.SysProcIDMap{{Size: 65536}},
		GidMappings:                []syscall.SysProcIDMap{{Size: 65536}},
		GidMappingsEnableSetgroups: true,
	}
	tests := []struct {
		name   string
		attr   *syscall.SysProcAttr
		script string
		words  []string
	}{
		{"closed /dev/fuse", nil, "mknod " + dir + "/fuse c 10 229; chmod 600 " + dir + "/fuse; mount --bind " + dir + "/fuse /dev/fuse",
			[]string{"open /dev/fuse: permission denied", "chmod 0666 /dev/fuse"}},
		{"no user namespaces", all, "echo 0 > /proc/sys/user/max_user_namespaces",
			[]string{"make a user namespace: no space left on device", "limit of user namespaces", "user.max_user_namespaces"}},
		{"chroot", nil, "mount --rbind / " + dir + "; exec chroot " + dir + " setpriv --reuid " + itoa(testenv.UID()) + " --regid " + itoa(testenv.GID()) + ` --clear-groups "$@"`,
			[]string{"make a user namespace: operation not permitted", "chroot"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := b.finish(prepared(t, b, tt.attr, tt.script, b.path, repo, "--", p, "ls", "/cvmfs"))
			if r.code != 20 || r.stdout != "" || !strings.HasPrefix(r.stderr, "cvmfsexec: error: mode 3 cannot be used here: ") {
				t.Errorf("%d %q %q", r.code, r.stdout, r.stderr)
			}
			for _, w := range tt.words {
				if !strings.Contains(r.stderr, w) {
					t.Errorf("%q is not in %q", w, r.stderr)
				}
			}
		})
	}
}

// P5b: where every place to unpack in is mounted noexec, the client runs from memory.
func TestEverythingNoExec(t *testing.T) {
	testenv.Needs(t, testenv.RootUser, testenv.Tool("setpriv", "util-linux"))
	b, repo := quick(t)
	// the bundle itself has to lie where programs can be started: not in /tmp
	dir, err := os.MkdirTemp("/var/tmp", "cvmfsbundle-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, f := range []string{b.path, probe(t)} {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.Chmod(dir, 0o755)
	other := &bundle{t: t, path: filepath.Join(dir, "cvmfsexec"), dir: dir, marker: b.marker}
	script := "mount --bind " + dir + " " + dir + "; mount -o remount,bind,ro " + dir +
		"; for d in /tmp /dev/shm; do mount -t tmpfs -o noexec,nosuid,nodev,mode=1777 none $d; done"
	for range 2 {
		cmd := prepared(t, other, nil, script, other.path, repo, "--", filepath.Join(dir, "probe"), "cat", "/cvmfs/"+repo+"/README", "ls", "/cvmfs/"+repo)
		r := other.finish(cmd)
		if r.code != 0 || !strings.HasPrefix(r.stdout, "hello from "+repo+"\n") {
			t.Errorf("%d %q %q", r.code, r.stdout, r.stderr)
		}
	}
}

// The command can neither trace init nor kill the clients' work by the namespace's own
// means: it has no capability there.
func TestCommandCannotTraceInit(t *testing.T) {
	b, repo := quick(t)
	r := b.run(repo, "--", probe(t), "trace", "1", "umount", "/cvmfs/"+repo, "cat", "/cvmfs/"+repo+"/README")
	if want := "operation not permitted\noperation not permitted\nhello from " + repo + "\n"; r.stdout != want {
		t.Errorf("%q; want %q", r.stdout, want)
	}
}

// No helper program is executed: mode 3 works where no program can be found, not even
// a shell.
func TestNoProgramsAtAll(t *testing.T) {
	testenv.Needs(t, testenv.RootUser, testenv.Tool("setpriv", "util-linux"))
	b, repo := quick(t)
	dir := testenv.Dir(t)
	script := "cp $(command -v setpriv) $(command -v mount) " + dir + "; for d in /bin /sbin /usr/bin /usr/sbin /usr/local/bin; do [ -h $d ] || covered=\"$covered $d\"; done; " +
		"PATH=" + dir + "; for d in $covered; do mount -t tmpfs none $d; done"
	for _, cache := range []string{"cold", "warm"} {
		r := b.finish(prepared(t, b, nil, script, b.path, repo, "--", probe(t), "ls", "/usr/bin", "cat", "/bin/sh", "cat", "/cvmfs/"+repo+"/README"))
		if want := "\nopen /bin/sh: no such file or directory\nhello from " + repo + "\n"; r.code != 0 || r.stdout != want {
			t.Errorf("%s: %d %q %q", cache, r.code, r.stdout, r.stderr)
		}
	}
}

// A configuration that loops, doubles a variable, runs a command or opens a file
// outside is refused with 10, file and line; nothing of it happens.
func TestHostileConfiguration(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	b.must(repo, "--", p)
	local := filepath.Join(b.dir, ".cvmfsexec/dist/etc/cvmfs/config.d", repo+".local")
	if err := os.MkdirAll(filepath.Dir(local), 0o755); err != nil {
		t.Fatal(err)
	}
	witness := filepath.Join(b.dir, "witness")
	for name, text := range map[string]string{
		"loop":             "A=1\nwhile :; do :; done\n",
		"doubling":         "A=x\nwhile :; do A=$A$A; done\n",
		"command":          "A=1\ntouch " + witness + "\n",
		"path to command":  "A=1\n/usr/bin/touch " + witness + "\n",
		"substitution":     "A=1\nCVMFS_SERVER_URL=$(touch " + witness + ")\n",
		"backquotes":       "A=1\nCVMFS_SERVER_URL=`touch " + witness + "`\n",
		"write":            "A=1\necho x > " + witness + "\n",
		"file outside":     "A=1\n. /root/secret\n",
		"recursion":        "f() { f; }\nf\n",
		"includes itself":  "A=1\n. ./" + repo + ".local\n",
		"background":       "A=1\n: &\n",
		"many arithmetics": "A=1\nwhile [ $((A=A+1)) -gt 0 ]; do :; done\n",
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(local, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			r := b.run(repo, "--", p)
			if r.code != 10 || !strings.HasPrefix(r.stderr, "cvmfsexec: error: ") || !strings.Contains(r.stderr, repo+".local:") {
				t.Errorf("%d %q", r.code, r.stderr)
			}
			if _, err := os.Stat(witness); err == nil {
				t.Error("a command has run")
			}
		})
	}
	// in single quotes it is text
	os.WriteFile(local, []byte("CVMFS_HARMLESS='$(touch "+witness+")'\n"), 0o644)
	b.must(repo, "--", p)
	if _, err := os.Stat(witness); err == nil {
		t.Error("a command has run")
	}
}
