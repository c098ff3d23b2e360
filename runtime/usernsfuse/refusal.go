package usernsfuse

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/mode"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawfork"
)

// errMaskedProc tells that a new /proc cannot be mounted because the caller's one is
// partly covered.
var errMaskedProc = errors.New("/proc is masked")

// refused explains a clone that made no namespaces (clone(2), user_namespaces(7)).
func refused(err error) error {
	var ce *rawfork.CloneError
	if !errors.As(err, &ce) {
		return exit.Wrap(exit.NoMode, err)
	}
	return refusal("make a user namespace", ce.Err, userNSAnswers(ce.Err)...)
}

// userNSAnswers says what an answer of the kernel to CLONE_NEWUSER means: first the
// sentence, then hints.
func userNSAnswers(errno syscall.Errno) []string {
	switch errno {
	case unix.EPERM:
		return []string{"user namespaces are not allowed to ordinary users here, or the process is in a chroot or a container that forbids them",
			"ask the administrator for: sysctl kernel.unprivileged_userns_clone=1 (Debian) or kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)",
			"in docker: --security-opt seccomp=unconfined --security-opt systempaths=unconfined --device=/dev/fuse"}
	case unix.ENOSPC, unix.EUSERS:
		return []string{"the limit of user namespaces is reached or set to 0",
			"ask the administrator for: sysctl user.max_user_namespaces=15000 (and user.max_mnt_namespaces, user.max_pid_namespaces)"}
	case unix.EINVAL:
		return []string{"the kernel was built or booted without user namespaces",
			"on EL 7: boot with user_namespace.enable=1 and set sysctl user.max_user_namespaces=15000"}
	}
	return processAnswers(errno)
}

// explain turns the first failed step of the child into an error.
func (m *marks) explain(f *rawfork.StepError, pidNS bool) error {
	switch {
	case f.Step == m.proc && pidNS && (f.Err == unix.EPERM || f.Err == unix.EACCES):
		return errMaskedProc
	case f.Name == "open /dev/fuse":
		return refusal("open /dev/fuse", f.Err, fuseAnswers(f.Err)...)
	case m.mount[f.Step] != "":
		return refusal("mount a fuse file system in a user namespace", f.Err, mountAnswers(f.Err)...)
	case f.Name == "fork":
		return refusal("start a client", f.Err, processAnswers(f.Err)...)
	case strings.HasPrefix(f.Name, "execute "):
		return exit.Errorf(exit.Mount, "start the client: %w", f)
	case strings.Contains(f.Name, "/proc/self/"):
		return refusal("write the maps of a user namespace ("+f.Name+")", f.Err, mapAnswers(f.Err)...)
	case strings.HasPrefix(f.Name, "make / slave"), strings.HasPrefix(f.Name, "mount "):
		return refusal(f.Name, f.Err, restrictedAnswers()...)
	}
	return refusal(f.Name, f.Err)
}

// short is the error of a run that the caller's own limits do not allow.
func short(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.EINVAL): // EINVAL: fcntl(2), F_DUPFD
		return exit.Errorf(exit.NoMode, "%w", err).Hint("raise the limit of open files: ulimit -n 1024")
	}
	return exit.Wrap(exit.NoMode, err)
}

// processAnswers is about a fork that failed (fork(2)).
func processAnswers(errno syscall.Errno) []string {
	switch errno {
	case unix.EAGAIN:
		return []string{"the limit of processes is reached", "raise it: ulimit -u; a batch system or a container may set one of its own"}
	case unix.ENOMEM:
		return []string{"there is not enough memory for another process"}
	}
	return nil
}

func fuseAnswers(errno syscall.Errno) []string {
	switch errno {
	case unix.ENOENT, unix.ENODEV, unix.ENXIO:
		return []string{"the fuse module is not loaded or the device is not in this container",
			"ask the administrator for: modprobe fuse", "in docker or kubernetes: --device=/dev/fuse"}
	case unix.EACCES, unix.EPERM:
		return []string{"the device may not be opened by this user",
			"ask the administrator for: chmod 0666 /dev/fuse", "in docker or kubernetes: --device=/dev/fuse"}
	}
	return nil
}

func mountAnswers(errno syscall.Errno) []string {
	if errno == unix.EPERM || errno == unix.EACCES || errno == unix.ENODEV {
		return append([]string{"the kernel is older than 4.18 (EL 7.8), or a security module forbids mounts in user namespaces"}, restrictedAnswers()[1:]...)
	}
	return nil
}

func mapAnswers(errno syscall.Errno) []string {
	if errno == unix.EROFS {
		return []string{"/proc is read-only here"}
	}
	return restrictedAnswers()
}

// restrictedAnswers is about machines where a user namespace can be made but gives no
// right in it.
func restrictedAnswers() []string {
	if b, err := os.ReadFile("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"); err == nil && strings.TrimSpace(string(b)) == "1" {
		return []string{"AppArmor lets user namespaces be made here but not used",
			"ask the administrator for: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for this file with the rule userns"}
	}
	return []string{"a security module or a container's seccomp filter forbids it",
		"in docker: --security-opt seccomp=unconfined --security-opt systempaths=unconfined --device=/dev/fuse"}
}

func refusal(tried string, errno syscall.Errno, answers ...string) *mode.Refusal {
	r := &mode.Refusal{Mode: mode.UsernsFuse, Tried: tried, Err: errno, Errno: errno}
	if len(answers) > 0 {
		r.Why, r.Hints = answers[0], answers[1:]
	}
	return r
}
