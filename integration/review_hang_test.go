package integration

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// hanging is a file system that does not answer a look-up before it is released.
type hanging struct {
	fuse.RawFileSystem
	asked    chan struct{} // closed at the first look-up
	released chan struct{}
	once     sync.Once
}

func (h *hanging) Lookup(<-chan struct{}, *fuse.InHeader, string, *fuse.EntryOut) fuse.Status {
	h.once.Do(func() { close(h.asked) })
	<-h.released
	return fuse.ENOENT
}

// hangingMount mounts one. Only other processes may touch it.
func hangingMount(t *testing.T) (dir string, h *hanging) {
	t.Helper()
	testenv.Needs(t, testenv.RootUser, testenv.DevFuse)
	dir = testenv.Dir(t)
	h = &hanging{RawFileSystem: fuse.NewDefaultRawFileSystem(), asked: make(chan struct{}), released: make(chan struct{})}
	server, err := fuse.NewServer(h, dir, &fuse.MountOptions{AllowOther: true, DirectMountStrict: true, Name: "hanging"})
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	release := func() { once.Do(func() { close(h.released) }) }
	t.Cleanup(func() {
		release()
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return dir, h
}

// P8, P32d: a process that the command leaves behind hangs in the kernel, for a file
// server of the host, where no signal reaches it. The caller is told the command's end
// all the same.
func TestHungProcessDoesNotKeepTheCaller(t *testing.T) {
	for _, way := range []string{"pid namespace", "masked /proc"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel() // each takes as long as a hanging process is waited for
			dir, h := hangingMount(t)
			b, repo := quick(t)
			args := []string{b.path, repo, "--", "/bin/sh", "-c", `cat "$1/x" & while ! [ -e "$2" ]; do sleep 0.01; done; exit 3`, "sh", dir, filepath.Join(b.dir, "flag")}
			cmd := b.cmd(args[1:]...)
			cmd.Env = []string{b.marker.Env(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
			if way != "pid namespace" {
				needsMaskedProc(t, b)
				cmd = masked(t, b, args...)
			}
			var stderr strings.Builder
			cmd.Stderr = &stderr
			cmd.WaitDelay = time.Second // the hanging process holds stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-h.asked
			time.Sleep(100 * time.Millisecond)
			if err := os.WriteFile(filepath.Join(b.dir, "flag"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			if !waitFor(done, time.Minute) {
				t.Error("the caller waits for ever")
				cmd.Process.Kill()
			} else if cmd.ProcessState.ExitCode() != 3 {
				t.Errorf("ended with %v, %s; want the command's 3", cmd.ProcessState, stderr.String())
			}
			if !strings.Contains(stderr.String(), "warning: a process of this run hangs in the kernel") {
				t.Errorf("stderr %q; want the warning", stderr.String())
			}
		})
	}
}
