package integration

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// osgProcesses returns the processes of a run by what they are. It waits until these
// are just the ones in want: a watchdog's double fork takes its time.
func osgProcesses(t testing.TB, s *osgShell, want map[string]bool) map[string]int {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		pids, found := s.b.pids(), map[string]int{}
		for _, pid := range pids {
			if role := osgRole(s, pid); want[role] {
				found[role] = pid
			}
		}
		if len(found) == len(want) && len(pids) == len(want) {
			return found
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes %v, of them %v; want %v", pids, found, slices.Sorted(maps.Keys(want)))
		}
	}
}

// osgRole says what a process is: "outer", "init", "command", "cache manager", and
// "client" and "watchdog" with the repository.
func osgRole(s *osgShell, pid int) string {
	if pid == s.cmd.Process.Pid {
		return "outer"
	}
	cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	args := strings.Split(trim(string(cmdline)), "\x00")
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after) // state, parent, group, session
	switch {
	case exe == s.b.path:
		return "init"
	case slices.Contains(args, "__cachemgr__"):
		return "cache manager"
	case filepath.Base(exe) == "cvmfs2" && len(args) > 3:
		if len(fields) > 3 && fields[3] == strconv.Itoa(pid) {
			return "client " + args[3] // it has a session of its own
		}
		return "watchdog " + args[3]
	case strings.HasPrefix(args[0], "/bin/sh"):
		return "command"
	}
	return fmt.Sprintf("%q", args)
}

// A run with upstream's client has just the processes it should have. SIGKILL of any one
// ends everything or, if it is the client's, is made good, and nothing is left after the
// end.
func TestOSGKill(t *testing.T) {
	b := osgBundle(t)
	b.must(osgRepo, "--", "/bin/true")
	before := osgFiles(t, b.dir)
	ends := map[string]bool{"outer": true, "init": true, "command": true}
	all := map[string]bool{
		"outer": true, "init": true, "command": true, "cache manager": true,
		"client " + osgConfig: true, "watchdog " + osgConfig: true, "client " + osgRepo: true, "watchdog " + osgRepo: true,
	}
	for victim := range all {
		t.Run(victim, func(t *testing.T) {
			b.t = t
			s := b.osgShell(osgRepo)
			s.do("read line </cvmfs/" + osgRepo + "/README")
			pids := osgProcesses(t, s, all)
			syscall.Kill(pids[victim], syscall.SIGKILL)
			if ends[victim] {
				s.cmd.Wait()
				b.gone(5 * time.Second)
			} else {
				osgComesBack(t, s, pids, victim)
				s.end()
			}
			if after := osgFiles(t, b.dir); !slices.Equal(before, after) {
				t.Errorf("files before %q\nafter %q", before, after)
			}
		})
	}
}

// osgComesBack waits for what the victim belonged to to be served again. A client whose
// watchdog is gone ends a moment later.
func osgComesBack(t testing.TB, s *osgShell, pids map[string]int, victim string) {
	t.Helper()
	repo := osgRepo
	if kind, name, _ := strings.Cut(victim, " "); kind == "client" || kind == "watchdog" {
		repo = name
		old := pids["client "+repo]
		for deadline := time.Now().Add(10 * time.Second); syscall.Kill(old, 0) == nil; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("client %d lives without its watchdog", old)
				return
			}
		}
	}
	const try = `n=0; while [ $n -lt 400 ] && ! read line </cvmfs/%[1]s/cwd; do n=$((n+1)); /bin/sleep 0.05; done 2>/dev/null; /bin/cat /cvmfs/%[1]s/README`
	if got, want := s.do(fmt.Sprintf(try, repo)), "This is "+repo+", served"; !strings.Contains(got, want) {
		t.Errorf("after the kill: %q; want %q", got, want)
	}
}

// osgFiles lists what lies in dir but for the cache's content.
func osgFiles(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		rel := strings.TrimPrefix(p, dir)
		switch {
		case err != nil:
			t.Error(err)
		case strings.Contains(rel, "/var/lib/cvmfs/") || strings.HasSuffix(rel, ".log"):
		case d.Type() == os.ModeSocket: // see TestOSGCleanEnd
		default:
			out = append(out, rel)
		}
		return nil
	})
	return out
}
