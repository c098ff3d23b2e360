// Package descendants ends the children of a process where no pid namespace does it.
//
// A process that is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER) inherits the
// orphans among its descendants, so killing children until none is left ends them all,
// daemons included.
package descendants

import (
	"bytes"
	"os"
	"strconv"
	"time"

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
	return statParent(data)
}

func statParent(data []byte) []byte {
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

// limit is how long [KillAll] tries: a process that hangs in the kernel (its file server
// is gone) dies only when that lets it go.
const limit = 5 * time.Second

// KillAll kills the children of this process, and what becomes its child when they
// end, until none is left, and reaps them. Those for which spare reports true it leaves
// alone; nil spares none. It reports false when some did not end in time.
func KillAll(spare func(pid int) bool) bool {
	pause := 100 * time.Microsecond
	for deadline := time.Now().Add(limit); ; {
		left := false
		for _, pid := range Children() {
			if spare != nil && spare(pid) {
				continue
			}
			left = true
			unix.Kill(pid, unix.SIGKILL)
			unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
		if !left {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
		pause = min(2*pause, 20*time.Millisecond)
	}
}

// Stranger reports whether pid is in the same mount namespace as this process. A run's
// processes are in one of their own and cannot leave it, so an orphan that is in ours
// belongs to somebody else: to a process that our caller had started before it executed
// us. A process that is ending is in none.
func Stranger(pid int) bool {
	theirs, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/mnt")
	if err != nil {
		return false
	}
	ours, err := os.Readlink("/proc/self/ns/mnt")
	return err == nil && ours == theirs
}
