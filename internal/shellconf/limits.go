package shellconf

import (
	"context"
	"time"
)

// Limits of one evaluation. Real configuration stays below a twentieth of each.
const (
	maxTime    = 2 * time.Second // without the time spent waiting for files
	maxWork    = 50_000_000      // steps: statements, characters copied or compared
	maxDepth   = 200             // nested statements, expansions, calls and includes together
	maxFile    = 64 << 10        // bytes of one file
	maxSource  = 256 << 10       // bytes of all files and eval arguments
	maxFiles   = 256             // files read
	maxOpeners = 2048            // ( [ { and ` in one file: bounds the parser's recursion
	maxValue   = 64 << 10        // bytes of one expanded word or command line
	maxVars    = 1 << 20         // bytes of all names and values
	varCost    = 128             // counted for each variable beside its name and value
	stmtWork   = 20              // steps a statement counts
	checkEvery = 1 << 16         // steps between two looks at the clock
)

// A meter counts what an evaluation uses.
type meter struct {
	ctx    context.Context
	start  time.Time
	waited time.Duration // for files
	work   int
	check  int // look at the clock when work reaches this
	depth  int
	source int
	files  int
}

// use counts n steps.
func (m *meter) use(n int) error {
	m.work += n
	if m.work < m.check {
		return nil
	}
	m.check = m.work + checkEvery
	if m.work > maxWork {
		return limit("more than %d steps", maxWork)
	}
	if time.Since(m.start)-m.waited > maxTime {
		return limit("more than %v", maxTime)
	}
	return m.ctx.Err()
}

// enter counts one level of nesting; leave takes it back.
func (m *meter) enter() error {
	if m.depth >= maxDepth {
		return limit("nested deeper than %d", maxDepth)
	}
	m.depth++
	return nil
}

func (m *meter) leave() { m.depth-- }

// await runs f, which reads files, and returns when it or the context ends. An
// abandoned f ends as soon as the file system answers.
func await[T any](m *meter, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	began := time.Now()
	defer func() { m.waited += time.Since(began) }()
	if m.ctx.Done() == nil {
		return f()
	}
	ch := make(chan result, 1)
	go func() {
		v, err := f()
		ch <- result{v, err}
	}()
	select {
	case r := <-ch:
		return r.v, r.err
	case <-m.ctx.Done():
		var zero T
		return zero, m.ctx.Err()
	}
}
