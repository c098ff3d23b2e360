package fetch

import (
	"io"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Progress is told what a client downloads. It is used by several goroutines.
type Progress interface {
	// Start announces a file; size is -1 when not known.
	Start(name string, size int64) Bar
}

// A Bar is told of one file's bytes by writing them.
type Bar interface {
	io.Writer
	Reset() // another try begins
	Done()  // no more tries, whatever came of it
}

// Quiet is a [Progress] that shows nothing.
type Quiet struct{}

// Start implements [Progress].
func (Quiet) Start(string, int64) Bar { return quietBar{} }

type quietBar struct{}

func (quietBar) Write(p []byte) (int, error) { return len(p), nil }
func (quietBar) Reset()                      {}
func (quietBar) Done()                       {}

// Bars draws a bar for each download on a terminal. Close ends the drawing.
type Bars struct{ p *mpb.Progress }

// NewBars returns bars on w, which should be a terminal.
func NewBars(w io.Writer) *Bars {
	return &Bars{mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithAutoRefresh())}
}

// Start implements [Progress].
func (b *Bars) Start(name string, size int64) Bar {
	bar := b.p.AddBar(max(size, 0),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f")))
	return &termBar{bar: bar}
}

// Write prints whole lines above the bars, which would else be drawn over them.
func (b *Bars) Write(p []byte) (int, error) { return b.p.Write(p) }

// Close waits for the last drawing.
func (b *Bars) Close() { b.p.Wait() }

type termBar struct {
	bar  *mpb.Bar
	once sync.Once
}

func (t *termBar) Write(p []byte) (int, error) {
	t.bar.IncrBy(len(p))
	return len(p), nil
}

func (t *termBar) Reset() { t.bar.SetCurrent(0) }

func (t *termBar) Done() { t.once.Do(func() { t.bar.Abort(true) }) }
