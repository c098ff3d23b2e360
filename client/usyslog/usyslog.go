// Package usyslog writes the client's log file, the one that CVMFS_USYSLOG names.
//
// A line is "TIME (PREFIX) message": TIME has the 24 characters of ctime(3), PREFIX
// is the repository unless configured otherwise. Every line is flushed to disk, so
// that the last word of a dying client is there. A file that has grown to 500 kB
// is renamed to NAME.1 and begun anew (CVMFS client, util/logging.cc).
package usyslog

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/ui"
)

const (
	maxSize  = 500 << 10
	keepLast = 10 // messages kept in memory, see Last
)

// Log writes to one file, or only to memory when it has none. Safe for use by
// several goroutines; a nil Log swallows everything.
type Log struct {
	prefix, name string
	now          func() time.Time

	mu   sync.Mutex
	file *os.File
	size int64
	last []string // newest last
}

// New returns a log that keeps its last messages in memory until [Log.Open] gives
// it a file.
func New(prefix string) *Log { return &Log{prefix: prefix, now: time.Now} }

// Open makes the log append to the file name, which is created with mode 0600. A
// symbolic link, anything but a regular file, and a file of another user are
// refused: a log in a public directory could be laid out beforehand.
func (l *Log) Open(name string) error {
	f, size, err := openFile(name)
	if err != nil {
		return fmt.Errorf("open log file %q: %w", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name, l.file, l.size = name, f, size
	return nil
}

func openFile(name string) (*os.File, int64, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0o600)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil {
		err = acceptable(st)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, st.Size(), nil
}

func acceptable(st os.FileInfo) error {
	if !st.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && int(sys.Uid) != os.Geteuid() {
		return errors.New("belongs to another user")
	}
	return nil
}

// Printf writes one line; line breaks and control characters in it are made
// harmless. A full disk loses the line and nothing else.
func (l *Log) Printf(format string, args ...any) {
	if l == nil {
		return
	}
	msg := ui.Line(fmt.Sprintf(format, args...))
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.last = append(l.last, now.UTC().Format("[2 Jan 2006 15:04:05 MST] ")+msg)
	if len(l.last) > keepLast {
		l.last = append(l.last[:0], l.last[1:]...)
	}
	if l.file == nil {
		return
	}
	n, _ := fmt.Fprintf(l.file, "%s (%s) %s\n", now.Format(time.ANSIC), l.prefix, msg)
	l.file.Sync()
	l.size += int64(n)
	if l.size >= maxSize {
		l.rotate()
	}
}

// rotate begins a new file; when that fails the old one goes on.
func (l *Log) rotate() {
	if os.Rename(l.name, l.name+".1") != nil {
		return
	}
	f, size, err := openFile(l.name)
	if err != nil {
		return
	}
	l.file.Close()
	l.file, l.size = f, size
}

// Write makes a Log the output of a [log.Logger]: each call is one message.
func (l *Log) Write(p []byte) (int, error) {
	l.Printf("%s", p)
	return len(p), nil
}

// Last returns the latest messages, newest first, each with its time in brackets.
func (l *Log) Last() []string {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]string, 0, len(l.last))
	for i := len(l.last) - 1; i >= 0; i-- {
		out = append(out, l.last[i])
	}
	return out
}

// Close closes the file; later messages go to memory only.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
