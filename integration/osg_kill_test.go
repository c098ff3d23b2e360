package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// osgProcesses names the processes of a run by what they are: "outer", "init",
// "command", "cache manager", and "client" and "watchdog" with the repository.
func osgProcesses(t testing.TB, s *osgShell) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, pid := range s.b.pids() {
		name := osgRole(s, pid)
		if found[name] != 0 {
			t.Errorf("processes %d and %d are both %q", found[name], pid, name)
		}
		found[name] = pid
	}
	return found
}

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

// All processes that a run with upstream's client has; what is killed by SIGKILL takes
// everything with it, or is replaced, and nothing is left after the end.
func TestOSGKill(t *testing.T) {
	b := osgBundle(t)
	b.must(osgRepo, "--", "/bin/true")
	before := osgFiles(t, b.dir)
	victims := map[string]bool{ // whether the run goes on
		"outer": false, "init": false, "command": false, "cache manager": true,
		"client " + osgConfig: true, "watchdog " + osgConfig: true,
		"client " + osgRepo: true, "watchdog " + osgRepo: true,
	}
	for victim, goesOn := range victims {
		t.Run(victim, func(t *testing.T) {
			b.t = t
			s := b.osgShell(osgRepo)
			s.do("read line </cvmfs/" + osgRepo + "/README")
			all := osgProcesses(t, s)
			for name := range victims {
				if all[name] == 0 {
					t.Errorf("no process %q among %v", name, all)
				}
			}
			if len(all) != len(victims) {
				t.Errorf("%d processes: %v; want %d", len(all), all, len(victims))
			}
			if all[victim] == 0 {
				s.end()
				return
			}
			syscall.Kill(all[victim], syscall.SIGKILL)
			if goesOn {
				osgComesBack(t, s, strings.TrimPrefix(strings.TrimPrefix(victim, "client "), "watchdog "))
				s.end()
			} else {
				s.cmd.Wait()
				b.gone(5 * time.Second)
			}
			if after := osgFiles(t, b.dir); !slices.Equal(before, after) {
				t.Errorf("files before %q\nafter %q", before, after)
			}
		})
	}
}

// osgComesBack waits for a repository whose client was killed to be served again.
func osgComesBack(t testing.TB, s *osgShell, repo string) {
	t.Helper()
	if !strings.Contains(repo, ".") {
		repo = osgRepo
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
		case d.Type() == os.ModeSocket:
			t.Logf("socket left: %s", rel)
		default:
			out = append(out, rel)
		}
		return nil
	})
	return out
}

// A regular end lets the client end in its own way: it takes its socket and the mark by
// which the next one would rebuild the cache's index with it.
func TestOSGCleanEnd(t *testing.T) {
	b := osgBundle(t)
	for i := range testenv.Count(3, 20) {
		b.must(osgRepo, "--", "/bin/cat", "/cvmfs/"+osgRepo+"/README")
		state := filepath.Join(b.dir, ".cvmfsexec/var")
		for _, pattern := range []string{"lib/cvmfs*/shared/running.*", "lib/cvmfs*/shared/cachemgr", "run/cvmfs*/cvmfs.*"} {
			if left, _ := filepath.Glob(filepath.Join(state, pattern)); len(left) > 0 {
				t.Errorf("round %d: left %q", i, left)
			}
		}
	}
	log, err := os.ReadFile(filepath.Join(b.dir, ".cvmfsexec/log", osgRepo+".log"))
	if err != nil || !strings.Contains(string(log), "CernVM-FS: unmounted ") || strings.Contains(string(log), "unexpected termination") {
		t.Errorf("log: %q, %v; want an orderly end", log, err)
	}
}

// Two runs at the same time from one bundle. Upstream's client allows one per cache: the
// second would wait for the first's end, so it has another cache.
func TestOSGTwoRuns(t *testing.T) {
	b := osgBundle(t)
	base := func(text string) string { return parseParameters(text)["CVMFS_CACHE_BASE"] }
	show := "/bin/cat /cvmfs/" + osgRepo + "/parameters"
	first, second := b.osgShell(osgRepo), b.osgShell(osgRepo)
	one, two := base(first.do(show)), base(second.do(show))
	if one == "" || two == "" || one == two {
		t.Errorf("cache bases %q and %q; want two", one, two)
	}
	first.endAlone()
	if got := second.do("/bin/cat /cvmfs/" + osgRepo + "/link"); !strings.Contains(got, osgRepo) {
		t.Errorf("the second run after the first's end: %q", got)
	}
	second.end()
	var again []string
	for range 2 {
		again = append(again, base(b.osgCat(osgRepo, "parameters")))
	}
	if again[0] != again[1] || again[0] != one && again[0] != two {
		t.Errorf("later cache bases %q; want one of %q and %q again", again, one, two)
	}
}

// endAlone ends the run while others of the same bundle go on.
func (s *osgShell) endAlone() {
	s.b.t.Helper()
	s.in.Close()
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	if !waitFor(done, 30*time.Second) {
		s.b.t.Fatal("the run does not end")
	}
}

// Many runs at the same time, started at once.
func TestOSGManyRuns(t *testing.T) {
	b := osgBundle(t)
	n := testenv.Count(8, 32)
	ends := make(chan result, n)
	for range n {
		go func() {
			out, err := b.cmd(osgRepo, "--", "/bin/cat", "/cvmfs/"+osgRepo+"/README").CombinedOutput()
			ends <- result{stdout: string(out), err: err}
		}()
	}
	for range n {
		select {
		case r := <-ends:
			if r.err != nil || !strings.HasPrefix(r.stdout, "This is "+osgRepo) {
				t.Errorf("%v, %q", r.err, r.stdout)
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("a run does not end")
		}
	}
	b.gone(5 * time.Second)
}
