package stratum

import (
	"errors"
	"sync"
	"time"
)

// errSlow is why a guard ends a request.
var errSlow = errors.New("too slow")

// windowParts is the number of parts into which a guard divides its window.
const windowParts = 4

// guard ends a request that gets too few bytes within a window of time, or no
// connection within two. Only time spent waiting for the network counts. A nil
// guard does nothing.
type guard struct {
	mu        sync.Mutex
	timer     *time.Timer
	slice     time.Duration
	least     int64 // bytes wanted in a window
	end       func()
	connects  bool // no connection yet
	waits     bool // somebody waits for the network
	stopped   bool
	elapsed   int // slices since the last change of phase
	bytes     int64
	perSlices [windowParts]int64
}

func newGuard(window time.Duration, perSecond int64, end func()) *guard {
	g := &guard{slice: max(window/windowParts, time.Millisecond), end: end, connects: true, waits: true}
	g.least = max(int64(float64(perSecond)*window.Seconds()), 1)
	g.timer = time.AfterFunc(g.slice, g.tick)
	return g
}

// tick ends a slice.
func (g *guard) tick() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return
	}
	if g.waits {
		g.perSlices[g.elapsed%windowParts] = g.bytes
		g.bytes = 0
		g.elapsed++
		if g.isSlow() {
			g.stopped = true
			g.end()
			return
		}
	}
	g.timer.Reset(g.slice)
}

func (g *guard) isSlow() bool {
	if g.connects {
		return g.elapsed >= 2*windowParts
	}
	var sum int64
	for _, n := range g.perSlices {
		sum += n
	}
	return g.elapsed >= windowParts && sum < g.least
}

// connecting begins a phase: with or without a connection.
func (g *guard) connecting(on bool) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.connects, g.elapsed, g.bytes = on, 0, 0
}

// waiting says whether somebody waits for the network.
func (g *guard) waiting(on bool) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waits = on
}

// count takes n received bytes.
func (g *guard) count(n int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bytes += int64(n)
}

// stop ends the guard. The request is not ended by it any more.
func (g *guard) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stopped = true
	g.timer.Stop()
}
