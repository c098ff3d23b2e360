package fusefs

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

func TestNodes(t *testing.T) {
	n := newNodes(256)
	if p, ok := n.path(1); p != "" || !ok {
		t.Fatalf("root = %q, %v", p, ok)
	}
	for _, id := range []uint64{0, 2, 1 << 40} {
		if _, ok := n.path(id); ok {
			t.Errorf("node %d is known", id)
		}
	}
	a, ok := n.look(1, "a", 300, false)
	if !ok || a.ino != 300 {
		t.Fatalf("a = %+v, %v", a, ok)
	}
	b, _ := n.look(uint64(a.id), "b", 301, false)
	if p, _ := n.path(uint64(b.id)); p != "/a/b" {
		t.Errorf("path = %q", p)
	}
	if again, _ := n.look(uint64(a.id), "b", 999, false); again != b {
		t.Errorf("second lookup gives %+v, first %+v", again, b)
	}
	if got := n.parentIno(uint64(b.id)); got != 300 {
		t.Errorf("parent of b = %d", got)
	}
	n.forget(uint64(a.id), 1)
	if p, ok := n.path(uint64(b.id)); p != "/a/b" || !ok {
		t.Error("a child lost its path when the kernel forgot the directory")
	}
	n.forget(uint64(b.id), 1)
	if n.len() != 3 {
		t.Errorf("%d nodes, want 3", n.len())
	}
	n.forget(uint64(b.id), 1)
	if n.len() != 1 {
		t.Errorf("%d nodes are left, want 1", n.len())
	}
	c, _ := n.look(1, "c", 302, false)
	if c.id != a.id && c.id != b.id || c.gen == 0 {
		t.Errorf("a used element has to come back with a new generation: %+v", c)
	}
	n.forget(1, 100)
	n.forget(77, 1)
	n.forget(uint64(c.id), 1000)
	if _, ok := n.look(uint64(c.id), "x", 1, false); ok {
		t.Error("lookup in a forgotten directory")
	}
}

func TestNodesHardLinks(t *testing.T) {
	n := newNodes(256)
	d, _ := n.look(1, "d", 257, false)
	one, _ := n.look(uint64(d.id), "one", 300, true)
	two, _ := n.look(1, "two", 300, true)
	if one != two {
		t.Errorf("two names of one file: %+v, %+v", one, two)
	}
	n.forget(uint64(d.id), 1)
	n.forget(uint64(one.id), 1)
	if p, ok := n.path(uint64(two.id)); !ok || p != "/d/one" {
		t.Errorf("path = %q, %v", p, ok)
	}
	n.forget(uint64(two.id), 1)
	if n.len() != 1 || len(n.links) != 0 {
		t.Errorf("%d nodes, %d links are left", n.len(), len(n.links))
	}
}

// TestNodesModel compares the table with a plain map under random lookups and
// forgets.
func TestNodesModel(t *testing.T) {
	for _, seed := range testenv.Seeds(t, 4, 100) {
		r := rand.New(rand.NewPCG(seed, 0))
		n := newNodes(256)
		type known struct {
			path  string
			count uint64
		}
		live := map[uint64]*known{1: {"", 1}}
		ids := []uint64{1}
		for step := range 20000 {
			id := ids[r.IntN(len(ids))]
			if r.IntN(5) < 3 {
				name := fmt.Sprint(r.IntN(12))
				got, ok := n.look(id, name, 1000, false)
				if !ok {
					t.Fatalf("seed %d step %d: parent %d is unknown", seed, step, id)
				}
				path := live[id].path + "/" + name
				if k := live[uint64(got.id)]; k == nil {
					live[uint64(got.id)] = &known{path, 1}
					ids = append(ids, uint64(got.id))
				} else if k.path != path {
					t.Fatalf("seed %d step %d: node %d is %q and %q", seed, step, got.id, k.path, path)
				} else {
					k.count++
				}
				continue
			}
			if id == 1 {
				continue
			}
			k := live[id]
			by := min(k.count, 1+r.Uint64N(3))
			n.forget(id, by)
			if k.count -= by; k.count == 0 {
				delete(live, id)
				for i := range ids {
					if ids[i] == id {
						ids[i] = ids[len(ids)-1]
						ids = ids[:len(ids)-1]
						break
					}
				}
			}
		}
		for id, k := range live {
			if p, ok := n.path(id); !ok || p != k.path {
				t.Fatalf("seed %d: node %d is %q, want %q", seed, id, p, k.path)
			}
			if id != 1 {
				n.forget(id, k.count)
			}
		}
		if n.len() != 1 {
			t.Fatalf("seed %d: %d nodes are left", seed, n.len())
		}
	}
}

func TestNodeSize(t *testing.T) {
	if s := unsafe.Sizeof(node{}); s > 56 {
		t.Errorf("a node has %d bytes", s)
	}
}

// BenchmarkNodes reports the memory of an inode that the kernel knows, with names
// of 12 bytes.
func BenchmarkNodes(b *testing.B) {
	const count = 100_000
	for range b.N {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		n := newNodes(256)
		var dir ref
		for i := range count {
			if i%100 == 0 {
				dir, _ = n.look(1, fmt.Sprintf("directory%04d", i/100), uint64(1000+i), false)
			}
			n.look(uint64(dir.id), fmt.Sprintf("file%08d", i), uint64(200000+i), false)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n.len()), "B/inode")
		runtime.KeepAlive(n)
	}
}
