// Package rawsig changes signal dispositions behind the Go runtime's back, which has no
// way to let a signal have its default effect on the own process: stop it, or end it so
// that the parent sees which signal it was.
package rawsig

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Action is the kernel's struct sigaction, the same on every machine type of ours:
// handler, flags, restorer, mask.
type Action [4]uint64

// Default gives sig its default disposition, unblocks it in this thread and returns the
// disposition that was there.
func Default(sig unix.Signal) Action {
	var dfl, old Action
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&dfl)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	mask := uint64(1) << (sig - 1)
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_UNBLOCK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
	return old
}

// Restore sets a disposition that [Default] returned.
func Restore(sig unix.Signal, a Action) {
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&a)), 0, 8, 0, 0)
}

// Raise sends sig to the calling thread: it has its effect before Raise returns. Lock
// the goroutine to its thread.
func Raise(sig unix.Signal) {
	unix.Tgkill(os.Getpid(), unix.Gettid(), sig)
}

// Die ends the process by sig, without a core file. It returns only when sig does not
// end processes.
func Die(sig unix.Signal) {
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	Default(sig)
	Raise(sig)
}
