// Package descendants ends the children of a process where no pid namespace does it.
//
// A process that is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) inherits the
// orphans among its descendants, so killing children until none is left ends them all,
// daemons included.
package descendants

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Children returns the present children of this process, zombies included.
func Children() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	self := []byte(strconv.Itoa(os.Getpid()))
	var out []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if bytes.Equal(parent(name), self) {
			out = append(out, pid)
		}
	}
	return out
}

// parent reads the fourth field of /proc/PID/stat; the second is in parentheses and may
// hold anything (proc(5)).
func parent(pid string) []byte {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil
	}
	i := bytes.LastIndexByte(data, ')')
	if i < 0 {
		return nil
	}
	f := bytes.Fields(data[i+1:])
	if len(f) < 2 {
		return nil
	}
	return f[1]
}

// KillAll kills the children of this process, and what becomes its child when they
// end, until none is left but those in keep. It reaps them.
func KillAll(keep map[int]bool) {
	for {
		n := 0
		for _, pid := range Children() {
			if keep[pid] {
				continue
			}
			n++
			unix.Kill(pid, unix.SIGKILL)
		}
		if n == 0 {
			return
		}
		if len(keep) > 0 {
			for _, pid := range Children() {
				if !keep[pid] {
					wait(pid)
				}
			}
			continue
		}
		wait(-1)
		for {
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != nil || pid <= 0 {
				break
			}
		}
	}
}

func wait(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
