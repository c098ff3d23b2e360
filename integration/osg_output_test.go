package integration

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// osgOutput collects what a run writes and hands it out up to a certain line.
type osgOutput struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{}
}

func newOSGOutput() *osgOutput { return &osgOutput{more: make(chan struct{}, 1)} }

// Write adds p.
func (l *osgOutput) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return l.buf.Write(p)
}

// until waits for a line and returns what came before it; false when it did not come.
func (l *osgOutput) until(line string, limit time.Duration) (string, bool) {
	end := time.After(limit)
	for {
		l.mu.Lock()
		if before, after, ok := strings.Cut(l.buf.String(), line+"\n"); ok {
			l.buf.Reset()
			l.buf.WriteString(after)
			l.mu.Unlock()
			return before, true
		}
		so := l.buf.String()
		l.mu.Unlock()
		select {
		case <-l.more:
		case <-end:
			return so, false
		}
	}
}
