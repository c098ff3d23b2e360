package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// errLeft is wrapped by the errors of what a run has left behind.
var errLeft = errors.New("something was left")

// clean takes everything away and tells what should have gone by itself.
func (d *demo) clean() error {
	var errs []error
	if d.server != nil {
		errs = append(errs, d.server.Close())
	}
	errs = append(errs, d.noProcess(5*time.Second), d.noMount())
	filepath.WalkDir(d.dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			os.Chmod(p, 0o755)
		}
		return nil
	})
	errs = append(errs, os.RemoveAll(d.dir))
	return exit.Wrap(exit.Unmount, errors.Join(errs...))
}

// noProcess waits for the processes of the runs to end, and kills what does not.
func (d *demo) noProcess(limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		pids := d.processes()
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			var left []string
			for _, pid := range pids {
				cmd, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
				left = append(left, fmt.Sprintf("%d %q", pid, cmd))
				syscall.Kill(pid, syscall.SIGKILL)
			}
			return fmt.Errorf("%w: processes %s", errLeft, strings.Join(left, ", "))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// processes finds what the runs have started: processes that inherited the marker, and
// those whose program lies in our directory (init has no environment).
func (d *demo) processes() []int {
	found := map[int]bool{}
	for _, pid := range d.marker.PIDs() {
		found[pid] = true
	}
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, d.dir+"/") {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
				found[pid] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// noMount looks for mounts of the runs in our mount table.
func (d *demo) noMount() error {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var left []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, d.dir) || strings.Contains(line, "/"+fqrn+" ") {
			left = append(left, strings.TrimSpace(line))
		}
	}
	if left != nil {
		return fmt.Errorf("%w: mounts %q", errLeft, left)
	}
	return nil
}
