package usernsfuse

import (
	"errors"
	"os/signal"

	"golang.org/x/sys/unix"
)

// terminal is the controlling terminal of a caller in its foreground.
type terminal struct {
	fd   int // -1: none, or the caller is in the background
	pgrp int // the caller's process group
}

// foreground looks for a terminal among the standard descriptors whose foreground
// process group is ours.
func foreground() terminal {
	pgrp := unix.Getpgrp()
	for fd := range 3 {
		if got, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil && got == pgrp {
			return terminal{fd, pgrp}
		}
	}
	return terminal{fd: -1}
}

// takeBack makes our process group the terminal's foreground again when the present one
// has ended. A shell gives the terminal back when it ends, but not in a pid namespace:
// there the group that had it before has no number. A living group keeps it: then the
// caller's shell has put us into the background.
func (t terminal) takeBack() {
	if t.fd < 0 {
		return
	}
	now, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	if err != nil || now == t.pgrp || now <= 1 || !errors.Is(unix.Kill(-now, 0), unix.ESRCH) {
		return
	}
	signal.Ignore(unix.SIGTTOU) // what a background process gets for the next call
	_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, t.pgrp)
}
