package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

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
