package fetch

import (
	"io"
	"sync/atomic"
	"time"
)

// A watchdog calls bark when fewer than min bytes arrive within one period.
type watchdog struct {
	min, got atomic.Int64
	done     chan struct{}
}

func newWatchdog(min int64, period time.Duration, bark func()) *watchdog {
	w := &watchdog{done: make(chan struct{})}
	w.min.Store(min)
	go func() {
		t := time.NewTicker(period)
		defer t.Stop()
		for {
			select {
			case <-w.done:
				return
			case <-t.C:
				if w.got.Swap(0) < w.min.Load() {
					bark()
					return
				}
			}
		}
	}()
	return w
}

func (w *watchdog) stop() { close(w.done) }

// counted tells the watchdog what is read.
type counted struct {
	r io.Reader
	w *watchdog
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.w.got.Add(int64(n))
	return n, err
}
