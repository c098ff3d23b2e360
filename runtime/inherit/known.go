//go:build inheritsignals

package inherit

import (
	"sync/atomic"
	"syscall"
	_ "unsafe" // for go:linkname

	"golang.org/x/sys/unix"
)

//go:linkname fwdSig runtime.fwdSig
var fwdSig [signals + 1]uintptr

//go:linkname origRlimitNofile syscall.origRlimitNofile
var origRlimitNofile atomic.Pointer[syscall.Rlimit]

func read(s *State) {
	s.Known = true
	for n := 1; n <= signals; n++ {
		if fwdSig[n] == sigIgn {
			s.Ignored |= 1 << (n - 1)
		}
	}
	// what the runtime neither handles nor remembers is as the caller left it
	for _, sig := range []unix.Signal{unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU} {
		if ignored(int(sig)) {
			s.Ignored |= 1 << (sig - 1)
		}
	}
	if lim := origRlimitNofile.Load(); lim != nil {
		s.NoFile.Cur, s.NoFile.Max = lim.Cur, lim.Max
	}
}
