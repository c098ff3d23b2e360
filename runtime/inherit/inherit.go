// Package inherit knows what the process was started with and the Go runtime has
// changed since: ignored signals, the signal mask, the soft limit of open files. A
// command that we start on the caller's behalf gets all three back.
//
// The Go runtime puts handlers on nearly every signal before any Go code runs, and
// raises the soft RLIMIT_NOFILE when package syscall is initialised. It remembers
// the former state in two unexported variables, runtime.fwdSig (runtime/signal_unix.go)
// and syscall.origRlimitNofile (syscall/rlimit.go). The stub reads them by linkname,
// which needs the build tag inheritsignals and the linker flag -checklinkname=0; the
// Makefile gives both. A program built without them (a unit test) sees [State.Known]
// false and the present state in place of the inherited one.
package inherit

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// signals is the number of Linux signals.
const signals = 64

// sigIgn is SIG_IGN, the handler value of an ignored signal.
const sigIgn = 1

// State is what a process inherits through execve.
type State struct {
	// Known tells that Ignored and NoFile are what the caller left, not what the Go
	// runtime has made of it.
	Known bool
	// Ignored has bit n-1 set when signal n is ignored.
	Ignored uint64
	// Mask has bit n-1 set when signal n is blocked.
	Mask uint64
	// NoFile is RLIMIT_NOFILE: soft and hard limit, a number of descriptors.
	NoFile unix.Rlimit
}

// mask is taken on the main thread, which package initialisation runs on.
var mask = func() (m uint64) {
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, 0, uintptr(unsafe.Pointer(&m)), 8, 0, 0)
	return m
}()

// Read returns the inherited state. Call it before os/signal is used.
func Read() State {
	s := State{Mask: mask}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &s.NoFile); err != nil {
		s.NoFile = unix.Rlimit{Cur: 1024, Max: 4096}
	}
	read(&s)
	return s
}

// ignored asks the kernel whether signal n is ignored at present.
func ignored(n int) bool {
	var sa [4]uint64 // struct kernel_sigaction: handler, flags, restorer, mask
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(n), 0, uintptr(unsafe.Pointer(&sa)), 8, 0, 0)
	return errno == 0 && sa[0] == sigIgn
}
