package catalog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

func newTree(t testing.TB, m *memory, root object.Hash, options ...Option) *Tree {
	t.Helper()
	tree, err := NewTree(t.Context(), m, root, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tree.Close()
		if n := m.open.Load(); n != 0 {
			t.Errorf("%d catalogs are open after Close", n)
		}
	})
	return tree
}

// TestConcurrent looks up and lists from many goroutines while the watermark detaches
// catalogs under them.
func TestConcurrent(t *testing.T) {
	m, root := many(t, 6, 3, 40)
	tree := newTree(t, m, root, WithWatermark(3), WithCache(0))
	inodes := map[string]uint64{}
	paths := map[uint64]string{}
	walk(t, tree, "", func(path string, e *Entry) {
		if other, ok := paths[e.Inode]; ok {
			t.Fatalf("%q and %q have inode %d", path, other, e.Inode)
		}
		inodes[path], paths[e.Inode] = e.Inode, path
	})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(g)))
			for range 300 {
				dir := fmt.Sprintf("/c%02d/d%02d", rnd.IntN(6), rnd.IntN(3))
				path := fmt.Sprintf("%s/file%03d.txt", dir, rnd.IntN(40))
				if e, err := tree.Lookup(t.Context(), path); err != nil || e.Inode != inodes[path] || e.Size != int64(len(path)) {
					t.Errorf("%q: %+v, %v", path, e, err)
				}
				if _, err := tree.Lookup(t.Context(), dir+"/nothing"); err != ErrNotFound {
					t.Errorf("absent: %v", err)
				}
				n := 0
				if err := tree.List(t.Context(), dir, func(e Entry) error { n++; return nil }); err != nil || n != 40 {
					t.Errorf("%q: %d entries, %v", dir, n, err)
				}
			}
		})
	}
	wg.Wait()
	if n := tree.Attached(); n > 3 {
		t.Errorf("%d catalogs attached", n)
	}
}

// TestOneLoad: callers at the same time share one load.
func TestOneLoad(t *testing.T) {
	m, root := many(t, 1, 1, 1)
	tree := newTree(t, m, root)
	begun, goOn := make(chan struct{}), make(chan struct{})
	m.before = func(context.Context, string) error {
		close(begun)
		<-goOn
		return nil
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := tree.Lookup(t.Context(), "/c00/d00/file000.txt"); err != nil {
				t.Error(err)
			}
		})
	}
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tree.Lookup(ctx, "/c00/d00"); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled caller waits: %v", err)
	}
	if _, err := tree.Lookup(t.Context(), "/c00"); err != nil {
		t.Errorf("the mountpoint waits for what lies below: %v", err)
	}
	close(goOn)
	wg.Wait()
	if n := m.loads["/c00"]; n != 1 {
		t.Errorf("%d loads", n)
	}
}

// TestCancelledLoad: when the caller who loads gives up, another takes over.
func TestCancelledLoad(t *testing.T) {
	m, root := many(t, 1, 1, 1)
	tree := newTree(t, m, root)
	begun := make(chan struct{}, 10)
	m.before = func(ctx context.Context, _ string) error {
		begun <- struct{}{}
		if ctx.Value(leader{}) == nil {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), leader{}, true))
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := tree.Lookup(ctx, "/c00/d00"); !errors.Is(err, context.Canceled) {
			t.Errorf("the leader: %v", err)
		}
	})
	<-begun
	for range 5 {
		wg.Go(func() {
			if _, err := tree.Lookup(t.Context(), "/c00/d00"); err != nil {
				t.Errorf("a follower: %v", err)
			}
		})
	}
	time.Sleep(10 * time.Millisecond) // most followers wait by now; the test holds if they do not
	cancel()
	wg.Wait()
}

type leader struct{}

// TestTimeout: a load that runs out of the loader's own time fails for all who wait;
// they do not try one after the other.
func TestTimeout(t *testing.T) {
	m, root := many(t, 1, 1, 1)
	tree := newTree(t, m, root)
	begun, goOn := make(chan struct{}, 20), make(chan struct{})
	m.before = func(context.Context, string) error {
		begun <- struct{}{}
		<-goOn
		return context.DeadlineExceeded
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := tree.Lookup(t.Context(), "/c00/d00"); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	<-begun
	for waiting := 0; waiting < 10; time.Sleep(time.Millisecond) { // callers hold the root catalog while they wait
		n := tree.nodes[""]
		waiting = int(n.refs.Load()) - 1
	}
	time.Sleep(10 * time.Millisecond)
	close(goOn)
	wg.Wait()
	if n := m.loads["/c00"]; n > 5 { // 1, but for those who came late
		t.Errorf("%d loads", n)
	}
}

func TestLoadFailure(t *testing.T) {
	m, root := many(t, 2, 1, 1)
	tree := newTree(t, m, root)
	broken := errors.New("no server")
	m.before = func(context.Context, string) error { return broken }
	for name, do := range map[string]func(path string) error{
		"lookup": func(p string) error { _, err := tree.Lookup(t.Context(), p+"/d00"); return err },
		"absent": func(p string) error { _, err := tree.Lookup(t.Context(), p+"/nothing"); return err },
		"list":   func(p string) error { return tree.List(t.Context(), p, nil) },
		"below":  func(p string) error { return tree.List(t.Context(), p+"/d00", nil) },
		"info":   func(p string) error { _, err := tree.Info(t.Context(), p); return err },
	} {
		err := do("/c01")
		var load *LoadError
		if !errors.As(err, &load) || !errors.Is(err, broken) || errors.Is(err, ErrNotFound) || load.Mountpoint != "/c01" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := tree.Lookup(t.Context(), "/c01"); err != nil {
		t.Errorf("the mountpoint: %v", err)
	}
	m.before = nil
	if _, err := tree.Lookup(t.Context(), "/c01/d00/file000.txt"); err != nil {
		t.Errorf("after the failure: %v", err)
	}
	tree.Close()
	if _, err := tree.Lookup(t.Context(), "/c01"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("after Close: %v", err)
	}
}

// TestRootFailure: a tree without its root catalog does not come into being.
func TestRootFailure(t *testing.T) {
	_, err := NewTree(t.Context(), newMemory(), object.SHA1.Sum(nil))
	var load *LoadError
	if !errors.As(err, &load) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestNextRevision: trees that share inode numbers keep those of unchanged catalogs.
func TestNextRevision(t *testing.T) {
	m := newMemory()
	same := newBuilder(t, 1024, "/same")
	same.file("/same/f")
	sameHash := m.put(same.bytes()).String()
	revision := func(content string) object.Hash {
		changed := newBuilder(t, 1024, "/changed")
		changed.file("/changed/" + content)
		root := newBuilder(t, 1024, "")
		root.nest("/same", sameHash)
		root.nest("/changed", m.put(changed.bytes()).String())
		return m.put(root.bytes())
	}
	inodes := NewInodes()
	used := map[uint64]string{}
	inode := func(tree *Tree, path string) uint64 {
		e, err := tree.Lookup(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return e.Inode
	}
	old := newTree(t, m, revision("a"), WithInodes(inodes))
	f := inode(old, "/same/f")
	for _, p := range []string{"", "/same", "/same/f", "/changed", "/changed/a"} {
		used[inode(old, p)] = p
	}
	if r := inode(old, ""); r != 256 {
		t.Errorf("the first root has inode %d", r)
	}
	next, err := NewTree(t.Context(), m, revision("b"), WithInodes(inodes))
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if got := inode(next, "/same/f"); got != f {
		t.Errorf("inode %d in the next revision, was %d", got, f)
	}
	for _, p := range []string{"/changed/b", ""} {
		if got := inode(next, p); used[got] != "" {
			t.Errorf("%q has the inode that %q had", p, used[got])
		}
	}
	if len(used) != 5 {
		t.Errorf("inodes are not unique: %v", used)
	}
}

func TestListStops(t *testing.T) {
	m, root := many(t, 1, 1, 10)
	tree := newTree(t, m, root)
	stop := errors.New("enough")
	n := 0
	if err := tree.List(t.Context(), "/c00/d00", func(Entry) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("%v after %d entries", err, n)
	}
	if n, err := tree.LoadedEntries(); n != 0 || err != nil { // the builder writes no counters
		t.Errorf("%d entries, %v", n, err)
	}
}
