package rawfork

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

//go:linkname runtimeBeforeFork syscall.runtime_BeforeFork
func runtimeBeforeFork()

//go:linkname runtimeAfterFork syscall.runtime_AfterFork
func runtimeAfterFork()

//go:linkname runtimeAfterForkInChild syscall.runtime_AfterForkInChild
func runtimeAfterForkInChild()

// failStatus is the exit status of a child whose step failed.
const failStatus = 125

// forkAndRun forks; the child never returns from it.
//
//go:norace
//go:nocheckptr
func forkAndRun(flags uintptr, steps *step, n int, report int) (pid uintptr, errno syscall.Errno) {
	var regs [NumReg]uintptr
	var msg [2]uint32
	runtimeBeforeFork()
	pid, _, errno = syscall.RawSyscall6(unix.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		runtimeAfterFork()
		return pid, errno
	}
	runtimeAfterForkInChild()
	run(steps, n, report, &regs, &msg)
	for {
		syscall.RawSyscall6(unix.SYS_EXIT_GROUP, 0, 0, 0, 0, 0, 0)
	}
}

// run is the child: it must not allocate, split its stack or call anything but raw
// system calls.
//
//go:nosplit
//go:norace
//go:nocheckptr
func run(steps *step, n int, report int, regs *[NumReg]uintptr, msg *[2]uint32) {
	for pc := 0; pc < n; {
		s := (*step)(unsafe.Add(unsafe.Pointer(steps), uintptr(pc)*unsafe.Sizeof(*steps)))
		if s.kind == kindJump {
			pc = int(s.target)
			continue
		}
		a0, a1, a2, a3, a4, a5 := s.arg[0], s.arg[1], s.arg[2], s.arg[3], s.arg[4], s.arg[5]
		if r := s.argReg[0]; r != 0 {
			a0 = regs[(r-1)&(NumReg-1)]
		}
		if r := s.argReg[1]; r != 0 {
			a1 = regs[(r-1)&(NumReg-1)]
		}
		if r := s.argReg[2]; r != 0 {
			a2 = regs[(r-1)&(NumReg-1)]
		}
		if r := s.argReg[3]; r != 0 {
			a3 = regs[(r-1)&(NumReg-1)]
		}
		if r := s.argReg[4]; r != 0 {
			a4 = regs[(r-1)&(NumReg-1)]
		}
		if r := s.argReg[5]; r != 0 {
			a5 = regs[(r-1)&(NumReg-1)]
		}
		r1, _, errno := syscall.RawSyscall6(s.nr, a0, a1, a2, a3, a4, a5)
		if s.into != 0 {
			regs[(s.into-1)&(NumReg-1)] = r1
		}
		if s.kind == kindRefuse && errno == 0 && r1 != 0 {
			errno = unix.EOWNERDEAD
		}
		if s.kind == kindFork && errno == 0 && r1 == 0 {
			pc = int(s.target)
			continue
		}
		if errno == 0 {
			pc++
			continue
		}
		if s.kind == kindReport || s.onErr == errFail {
			msg[0], msg[1] = uint32(pc), uint32(errno)
			syscall.RawSyscall6(unix.SYS_WRITE, uintptr(report), uintptr(unsafe.Pointer(msg)), reportSize, 0, 0, 0)
		}
		if s.when != 0 && errno == syscall.Errno(s.when) {
			pc = int(s.whenTo)
			continue
		}
		switch s.onErr {
		case errFail:
			syscall.RawSyscall6(unix.SYS_EXIT_GROUP, failStatus, 0, 0, 0, 0, 0)
		case errIgnore:
			pc++
		default:
			pc = int(s.onErr)
		}
	}
}
