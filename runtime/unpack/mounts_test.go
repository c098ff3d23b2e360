package unpack_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// mountsVar lists file systems that a start mounts for itself before it becomes
// the ordinary user: PATH=OPTION,... separated by blanks.
const mountsVar = "CHILD_MOUNTS"

// prepareMounts runs in the start's own mount namespace.
func prepareMounts() error {
	list := os.Getenv(mountsVar)
	if list == "" {
		return nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, m := range strings.Fields(list) {
		path, opts, _ := strings.Cut(m, "=")
		var flags uintptr
		data := "mode=1777"
		for o := range strings.SplitSeq(opts, ",") {
			switch {
			case o == "noexec":
				flags |= unix.MS_NOEXEC
			case o == "ro":
				flags |= unix.MS_RDONLY
			case o == "ours":
				data = fmt.Sprintf("mode=755,uid=%d,gid=%d", testenv.UID(), testenv.GID())
			case strings.HasPrefix(o, "size="):
				data += "," + o
			}
		}
		if err := unix.Mount("tmpfs", path, "tmpfs", flags, data); err != nil {
			return fmt.Errorf("%s: %w", m, err)
		}
	}
	uid, gid := testenv.UID(), testenv.GID() // asked while we are root
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setgid(gid); err != nil {
		return err
	}
	return syscall.Setuid(uid)
}

// mounted is command with file systems of its own: /tmp and /dev/shm as given,
// and others. The bundle must not lie below them.
func mounted(t testing.TB, path, mounts string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := command(t, path, append(env, mountsVar+"="+mounts)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	return cmd
}

// TestMounts: full, read-only and noexec places are passed over; nothing
// half-written stays in them.
func TestMounts(t *testing.T) {
	testenv.Needs(t, testenv.RootUser)
	dir := filepath.Join("/var/tmp", filepath.Base(testenv.Dir(t))) // not below /tmp, which is mounted over
	must(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := bundle(t, dir, "one") // dir itself is root's
	base, other := filepath.Join(dir, ".cvmfsexec"), filepath.Join(dir, "other")
	for _, d := range []string{base, other} {
		must(t, os.Mkdir(d, 0o700))
		testenv.Own(t, d)
	}
	const ours = "/cvmfsexec-54321"
	for _, tt := range []struct {
		name, mounts string
		env          []string
		base         string // where it lands; "": nowhere
		warnings     []string
		err          string
		noexec       bool
	}{
		{"beside it", "/tmp=x", nil, base, nil, "", false},
		{"named place", "/tmp=x", []string{"CVMFSEXEC_DIR=" + other + "/a/b"}, other + "/a/b", nil, "", false},
		{"noexec", base + "=ours,noexec /tmp=x", nil, "/tmp" + ours, []string{"noexec"}, "", false},
		{"read-only", base + "=ours,ro /tmp=x", nil, "/tmp" + ours, nil, "", false},
		{"full", base + "=ours,size=1m /tmp=x", nil, "/tmp" + ours, []string{"no space left"}, "", false},
		{"noexec, full, then good", base + "=ours,noexec /tmp=size=1m /dev/shm=x", nil, "/dev/shm" + ours, []string{"noexec", "no space left"}, "", false},
		{"all noexec", base + "=ours,noexec /tmp=noexec /dev/shm=noexec", nil, "", []string{"noexec", "noexec", "noexec"}, "noexec", true},
		{"all noexec, allowed", base + "=ours,noexec /tmp=noexec /dev/shm=noexec", []string{"CHILD_ALLOW_NOEXEC=1"}, base, []string{"noexec", "noexec", "noexec"}, "", true},
		{"all full or closed", base + "=ours,size=1m /tmp=ro /dev/shm=size=64k", nil, "", []string{"no space left", "no space left"}, "nowhere to unpack", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := mounted(t, path, tt.mounts, append(tt.env, "CHILD_LIST="+base)...)
			r := run(t, cmd)
			if r.Place.Base != tt.base || len(r.Warnings) != len(tt.warnings) || !strings.Contains(r.Err, tt.err) || (tt.err == "") != (r.Err == "") {
				t.Fatalf("%+v", r)
			}
			for i, w := range tt.warnings {
				if !strings.Contains(r.Warnings[i], w) {
					t.Errorf("warning %q, want %q in it", r.Warnings[i], w)
				}
			}
			if tt.err != "" && (r.Code != exit.Cache || r.NoExec != tt.noexec) || tt.err == "" && r.Place.NoExec != tt.noexec {
				t.Errorf("code %d, noexec %v, %v", r.Code, r.NoExec, r.Place.NoExec)
			}
			for _, name := range r.Left {
				if tt.base != base && (strings.HasPrefix(name, ".") || len(name) == 64) {
					t.Errorf("left in %s: %q", base, name)
				}
			}
			must(t, os.RemoveAll(filepath.Join(base, r.Place.ID.String())))
		})
	}
}
