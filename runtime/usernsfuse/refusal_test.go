package usernsfuse

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/mode"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawfork"
)

// Answers of kernels, containers and security modules that are not here, as recorded
// elsewhere: Ubuntu 24.04 (AppArmor), RHEL 7, Debian 10, docker, kubernetes.
func TestRefusedClone(t *testing.T) {
	tests := []struct {
		errno syscall.Errno
		why   string
		hint  string
	}{
		{unix.EPERM, "not allowed to ordinary users", "kernel.unprivileged_userns_clone=1"}, // Debian 10, chroot, docker's seccomp
		{unix.ENOSPC, "limit of user namespaces", "user.max_user_namespaces"},               // RHEL 7's default of 0
		{unix.EUSERS, "limit of user namespaces", "user.max_user_namespaces"},               // nested 32 deep, Linux < 4.9
		{unix.EINVAL, "without user namespaces", "user_namespace.enable=1"},                 // RHEL 7.3
		{unix.EAGAIN, "limit of processes", "ulimit -u"},
		{unix.ENOMEM, "not enough memory", ""},
		{unix.ENOSYS, "", ""},
	}
	for _, tt := range tests {
		err := refused(&rawfork.CloneError{Flags: unix.CLONE_NEWUSER, Err: tt.errno})
		checkRefusal(t, err, tt.errno, "make a user namespace", tt.why, tt.hint)
	}
	if err := refused(errors.New("report pipe")); exit.CodeOf(err) != exit.NoMode {
		t.Errorf("refused = %v, code %d", err, exit.CodeOf(err))
	}
}

func checkRefusal(t *testing.T, err error, errno syscall.Errno, tried, why, hint string) {
	t.Helper()
	var r *mode.Refusal
	if !errors.As(err, &r) || !errors.Is(err, errno) || r.Errno != errno || r.Mode != mode.UsernsFuse || r.Tried != tried {
		t.Errorf("%v: %#v; want a refusal to %s", errno, err, tried)
		return
	}
	if !strings.Contains(r.Why, why) || (why == "") != (r.Why == "") {
		t.Errorf("%s, %v: why %q; want %q", tried, errno, r.Why, why)
	}
	if hints := strings.Join(r.Hints, "\n"); !strings.Contains(hints, hint) {
		t.Errorf("%s, %v: hints %q; want %q", tried, errno, hints, hint)
	}
	all := mode.NoModeError(r)
	if exit.CodeOf(all) != exit.NoMode || !strings.HasPrefix(all.Error(), "mode 3 cannot be used here: "+tried) || len(exit.HintsOf(all)) > 3 {
		t.Errorf("NoModeError = %d %q %q", exit.CodeOf(all), all, exit.HintsOf(all))
	}
}

func TestExplain(t *testing.T) {
	m := &marks{proc: 7, mount: map[int]string{9: "a.example.org"}}
	step := func(i int, name string, errno syscall.Errno) *rawfork.StepError {
		return &rawfork.StepError{Step: i, Name: name, Err: errno}
	}
	const maps, fuse = "write the maps of a user namespace (", "mount a fuse file system in a user namespace"
	tests := []struct {
		fail             *rawfork.StepError
		tried, why, hint string
	}{
		{step(1, "open /dev/fuse", unix.ENOENT), "open /dev/fuse", "not loaded", "modprobe fuse"},
		{step(1, "open /dev/fuse", unix.ENODEV), "open /dev/fuse", "not loaded", "--device=/dev/fuse"},
		{step(1, "open /dev/fuse", unix.EACCES), "open /dev/fuse", "may not be opened", "chmod 0666"},
		{step(1, "open /dev/fuse", unix.EPERM), "open /dev/fuse", "may not be opened", "--device=/dev/fuse"}, // the device cgroup
		{step(1, "open /dev/fuse", unix.EIO), "open /dev/fuse", "", ""},
		{step(9, "mount /cvmfs/a.example.org", unix.EPERM), fuse, "older than 4.18", ""},
		{step(9, "mount /cvmfs/a.example.org", unix.ENODEV), fuse, "older than 4.18", ""},
		{step(9, "mount /cvmfs/a.example.org", unix.EINVAL), fuse, "", ""},
		{step(3, "open /proc/self/uid_map", unix.EROFS), maps + "open /proc/self/uid_map)", "/proc is read-only", ""},
		{step(3, "write /proc/self/uid_map", unix.EPERM), maps + "write /proc/self/uid_map)", "", ""},
		{step(4, "make / slave", unix.EACCES), "make / slave", "", ""}, // Ubuntu 24.04
		{step(5, "mount the new root on /tmp", unix.EPERM), "mount the new root on /tmp", "", ""},
		{step(6, "fork", unix.EAGAIN), "start a client", "limit of processes", "ulimit -u"},
		{step(8, "mkdir /cvmfs", unix.ENOSPC), "mkdir /cvmfs", "", ""},
	}
	for _, tt := range tests {
		err := m.explain(tt.fail, true)
		if tt.why == "" && (strings.Contains(tt.tried, "map)") || strings.HasPrefix(tt.tried, "make /") || strings.HasPrefix(tt.tried, "mount the")) {
			tt.why = restrictedAnswers()[0] // of this machine
		}
		checkRefusal(t, err, tt.fail.Err, tt.tried, tt.why, tt.hint)
	}
	// a new /proc is refused: without a pid namespace it goes on, and there is none then
	for _, errno := range []syscall.Errno{unix.EPERM, unix.EACCES} {
		if err := m.explain(step(7, "mount /proc", errno), true); err != errMaskedProc {
			t.Errorf("%v: %v; want errMaskedProc", errno, err)
		}
	}
	if err := m.explain(step(7, "mount /proc", unix.ENOMEM), true); err == errMaskedProc {
		t.Error("ENOMEM counts as a masked /proc")
	}
	// a client that cannot be executed is no refusal of the mode
	err := m.explain(step(20, "execute /x/usr/bin/cvmfs2", unix.EACCES), true)
	if r := (*mode.Refusal)(nil); errors.As(err, &r) || exit.CodeOf(err) != exit.Mount {
		t.Errorf("%v, code %d; want %d", err, exit.CodeOf(err), exit.Mount)
	}
}

func TestAtOnce(t *testing.T) {
	tests := []struct {
		limit   uint64
		foreign int
		want    int
	}{
		{1 << 63, 0, (1<<20 - 32) / 5}, {4096, 0, 812}, {64, 0, 6}, {64, 20, 2}, {20, 0, 1}, {0, 0, 1}, {64, 1000, 1},
	}
	for _, tt := range tests {
		if got := atOnce(tt.limit, tt.foreign); got != tt.want {
			t.Errorf("atOnce(%d, %d) = %d; want %d", tt.limit, tt.foreign, got, tt.want)
		}
	}
}
