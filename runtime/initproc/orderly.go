package initproc

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/runtime/descendants"
)

// orderlyLimit is how long upstream's clients have for their own end.
const orderlyLimit = 2 * time.Second

// endClients unmounts the repositories, the configuration repository last, and waits for
// their clients to end in their own way. Upstream's takes its socket with it then, and
// the marks by which its next start would rebuild the cache's index. The built-in client
// leaves nothing behind that needs it.
func (s *state) endClients() {
	if s.client.Libs == "" {
		return
	}
	deadline := time.Now().Add(orderlyLimit)
	// what the command has left behind may hold files of the repositories
	for time.Now().Before(deadline) && eachChild(func(pid int, client bool) bool {
		if !client {
			unix.Kill(pid, unix.SIGKILL)
		}
		return !client
	}) {
		reapQuietly()
	}
	for repo, c := range s.clients {
		if repo != s.p.ConfigRepo {
			unix.Unmount(c.dir(), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		}
	}
	if c := s.clients[s.p.ConfigRepo]; c != nil {
		unix.Unmount(c.dir(), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
	for time.Now().Before(deadline) && eachChild(func(_ int, client bool) bool { return client }) {
		reapQuietly()
	}
}

// reapQuietly reaps what has ended and gives the others a moment.
func reapQuietly() {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != nil || pid == 0 {
			break
		}
	}
	time.Sleep(time.Millisecond)
}

// eachChild calls f for every child and reports whether it was true for one. A client,
// its watchdog and its cache manager all have upstream's process name.
func eachChild(f func(pid int, client bool) bool) bool {
	any := false
	for _, pid := range descendants.Children() {
		comm, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
		if f(pid, strings.TrimSpace(string(comm)) == "cvmfs2") {
			any = true
		}
	}
	return any
}
