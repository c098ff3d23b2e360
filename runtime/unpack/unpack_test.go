package unpack_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

func TestFirstAndWarmStart(t *testing.T) {
	dir := filepath.Join(testenv.Dir(t), "a b", "$x,'é")
	must(t, os.MkdirAll(dir, 0o755))
	testenv.OwnTree(t, filepath.Dir(dir))
	path := bundle(t, dir, "one")
	r := good(t, command(t, path))
	base := filepath.Join(dir, ".cvmfsexec")
	if !r.Place.Fresh || r.Place.Base != base || r.Place.State != base || r.Warnings != nil {
		t.Errorf("first start: %+v", r)
	}
	local := filepath.Join(r.Place.Dist, "etc/cvmfs/default.local")
	must(t, os.WriteFile(local, []byte("edited"), 0o644))
	if link, err := os.Readlink(filepath.Join(base, "dist")); err != nil || filepath.Join(base, link) != r.Place.Dist {
		t.Errorf("dist -> %q, %v", link, err)
	}

	warm := good(t, command(t, path))
	if warm.Place.Fresh || warm.Place.Tree != r.Place.Tree || warm.Place.TidyDue {
		t.Errorf("warm start: %+v", warm)
	}
	if got, err := os.ReadFile(local); string(got) != "edited" {
		t.Errorf("an edit did not survive: %q, %v", got, err)
	}
	if _, temps := entries(t, base); temps != nil {
		t.Errorf("left: %q", temps)
	}
}

// TestManyFirstStarts: 64 processes at once, one tree, all right.
func TestManyFirstStarts(t *testing.T) {
	dir := testenv.Dir(t)
	path := bundle(t, dir, "one")
	gate, open, err := os.Pipe()
	must(t, err)
	var reports [64]report
	var wg sync.WaitGroup
	for i := range reports {
		cmd := command(t, path, "CHILD_WAIT=1")
		cmd.Stdin = gate
		wg.Go(func() { reports[i] = run(t, cmd) })
	}
	time.Sleep(200 * time.Millisecond) // let most of them reach the gate; nothing depends on it
	must(t, open.Close())
	wg.Wait()
	gate.Close()
	for i, r := range reports {
		if r.Err != "" || r.Place.Dist != reports[0].Place.Dist || r.Warnings != nil {
			t.Errorf("start %d: %+v", i, r)
		}
	}
	complete(t, reports[0].Place.Dist)
	trees, temps := entries(t, reports[0].Place.Base)
	if len(trees) != 1 || temps != nil {
		t.Errorf("trees %q, left %q", trees, temps)
	}
}

// TestKilledFirstStart: SIGKILL at any moment, the next start is complete.
func TestKilledFirstStart(t *testing.T) {
	for _, seed := range testenv.Seeds(t, 8, 50) {
		dir := testenv.Dir(t)
		path := bundle(t, dir, "one")
		cmd := command(t, path)
		must(t, cmd.Start())
		rnd := rand.New(rand.NewPCG(seed, 0))
		time.Sleep(time.Duration(rnd.IntN(60_000)) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		trees, temps := entries(t, dir)
		if base := filepath.Join(dir, ".cvmfsexec"); exists(base) {
			trees, temps = entries(t, base)
		}
		t.Logf("seed %d: killed with %d trees and %d unfinished ones", seed, len(trees), len(temps))
		again := command(t, path)
		good(t, again)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestTwoBundles: two IDs from one directory at the same time, and the cache of
// the one is the cache of the other.
func TestTwoBundles(t *testing.T) {
	dir := testenv.Dir(t)
	paths := []string{bundle(t, dir, "one"), bundle(t, dir, "two")}
	var reports [2]report
	var wg sync.WaitGroup
	for i, p := range paths {
		cmd := command(t, p)
		wg.Go(func() { reports[i] = run(t, cmd) })
	}
	wg.Wait()
	for i, want := range []string{"one", "two"} {
		complete(t, reports[i].Place.Dist)
		if got, _ := os.ReadFile(filepath.Join(reports[i].Place.Dist, "etc/cvmfs/default.local")); string(got) != want {
			t.Errorf("bundle %d has the tree of %q", i, got)
		}
	}
	if reports[0].Place.State != reports[1].Place.State || reports[0].Place.Tree == reports[1].Place.Tree {
		t.Errorf("%+v and %+v", reports[0].Place, reports[1].Place)
	}
}

// TestOldThings: what is out of use goes, what may be in use stays.
func TestOldThings(t *testing.T) {
	dir := testenv.Dir(t)
	one, two := bundle(t, dir, "one"), bundle(t, dir, "two")
	r1, r2 := good(t, command(t, one)), good(t, command(t, two))
	base := r1.Place.Base
	day := 24 * time.Hour
	make := func(name string, age time.Duration) {
		p := filepath.Join(base, name)
		must(t, os.MkdirAll(filepath.Join(p, "dist"), 0o755))
		must(t, os.WriteFile(filepath.Join(p, "dist/f"), nil, 0o644))
		testenv.OwnTree(t, p)
		must(t, os.Chtimes(p, time.Now().Add(-age), time.Now().Add(-age)))
	}
	make(".new-0000000000000001", 10*time.Second)
	make(".new-0000000000000002", 2*time.Hour)
	make(".old-0000000000000003", 2*day)
	make("mine", 100*day)
	held, err := os.Open(filepath.Join(base, ".new-0000000000000001"))
	must(t, err)
	defer held.Close()
	must(t, syscall.Flock(int(held.Fd()), syscall.LOCK_EX))
	must(t, os.Chtimes(held.Name(), time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)))

	must(t, os.Chtimes(r1.Place.Tree, time.Now().Add(-2*day), time.Now().Add(-2*day)))
	must(t, os.Chtimes(r2.Place.Tree, time.Now().Add(-13*day), time.Now().Add(-13*day)))
	if r := good(t, command(t, one)); !r.Place.TidyDue || r.Place.Fresh {
		t.Errorf("a start after two days: %+v", r.Place)
	}
	trees, temps := entries(t, base)
	if len(trees) != 2 || !slices.Equal(temps, []string{".new-0000000000000001"}) || !exists(filepath.Join(base, "mine")) {
		t.Errorf("after 13 days: trees %q, left %q", trees, temps)
	}

	must(t, os.Chtimes(r1.Place.Tree, time.Now().Add(-2*day), time.Now().Add(-2*day)))
	must(t, os.Chtimes(r2.Place.Tree, time.Now().Add(-15*day), time.Now().Add(-15*day)))
	good(t, command(t, one))
	trees, temps = entries(t, base)
	if !slices.Equal(trees, []string{r1.Place.ID.String()}) || len(temps) != 1 {
		t.Errorf("after 15 days: trees %q, left %q", trees, temps)
	}
}

// TestDamagedBundle: nothing but the code for it, and no tree.
func TestDamagedBundle(t *testing.T) {
	dir := testenv.Dir(t)
	path := bundle(t, dir, "one")
	data, err := os.ReadFile(path)
	must(t, err)
	data[20000] ^= 1
	must(t, os.WriteFile(path, data, 0o755))
	r := run(t, command(t, path))
	if r.Code != exit.Corrupt {
		t.Errorf("code %d, %s", r.Code, r.Err)
	}
	if trees, temps := entries(t, filepath.Join(dir, ".cvmfsexec")); trees != nil || temps != nil {
		t.Errorf("left: %q, %q", trees, temps)
	}
}
