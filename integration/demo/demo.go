package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// demo is what the steps share.
type demo struct {
	out    io.Writer
	dir    string         // everything lies below it
	user   string         // the ordinary user's directory; its name has a blank
	marker testenv.Marker // of all processes that are started
	uid    int            // the ordinary user
	gid    int
	drop   bool // we are root and become the ordinary user for the runs
	server *testrepo.Server
	repo   *testrepo.Published
	steps  int
}

func newDemo(out io.Writer) (*demo, error) {
	dir, err := os.MkdirTemp("", "cvmfsbundle-demo-")
	if err != nil {
		return nil, err
	}
	d := &demo{out: out, dir: dir, user: filepath.Join(dir, "some user"), marker: testenv.NewMarker()}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("%w%v", err, suffix(d.clean()))
	}
	return d, nil
}

func (d *demo) open() error {
	if err := os.Chmod(d.dir, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(d.user, 0o755); err != nil {
		return err
	}
	d.uid, d.gid = os.Getuid(), os.Getgid()
	if testenv.IsRoot() {
		openFuse()
		err := os.Chown(d.user, testenv.UID(), testenv.GID())
		switch {
		case err == nil:
			d.uid, d.gid, d.drop = testenv.UID(), testenv.GID(), true
		case !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EPERM):
			return err
		} // else root of a user namespace that has no other user
	}
	var err error
	d.server, err = testrepo.NewServer()
	return err
}

// openFuse opens /dev/fuse to everybody, as every distribution has it. Where that is
// not possible the bundle will say so.
func openFuse() {
	if st, err := os.Stat("/dev/fuse"); err == nil && st.Mode().Perm()&0o006 != 0o006 {
		_ = os.Chmod("/dev/fuse", 0o666)
	}
}

// say prints the line of one step, and more lines that belong to it.
func (d *demo) say(what, format string, args ...any) {
	d.steps++
	fmt.Fprintf(d.out, "%2d  %-12s %s\n", d.steps, what, fmt.Sprintf(format, args...))
}

func (d *demo) more(format string, args ...any) {
	fmt.Fprintf(d.out, "%17s%s\n", "", fmt.Sprintf(format, args...))
}

// since is a duration as people read it.
func since(t time.Time) string {
	took := time.Since(t)
	if took < time.Second {
		return fmt.Sprintf("%d ms", took.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", took.Seconds())
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// suffix adds an error to a message.
func suffix(err error) string {
	if err == nil {
		return ""
	}
	return "; " + err.Error()
}
