package usyslog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestLog(t *testing.T) {
	l := New("small.example.org")
	l.now = func() time.Time { return time.Date(2026, 11, 2, 9, 34, 39, 0, time.UTC) }
	l.Printf("before")
	name := filepath.Join(t.TempDir(), "log")
	if err := l.Open(name); err != nil {
		t.Fatal(err)
	}
	l.Printf("CernVM-FS: linking %s", "/m\n\x1b[2J")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if want := "Mon Nov  2 09:34:39 2026 (small.example.org) CernVM-FS: linking /m; \\x1b[2J\n"; string(got) != want {
		t.Errorf("file is %q, want %q", got, want)
	}
	if st, _ := os.Stat(name); st.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", st.Mode())
	}
	want := []string{"[2 Nov 2026 09:34:39 UTC] CernVM-FS: linking /m; \\x1b[2J", "[2 Nov 2026 09:34:39 UTC] before"}
	if d := cmp.Diff(want, l.Last()); d != "" {
		t.Error(d)
	}
	var none *Log
	none.Printf("nothing")
}

func TestRotate(t *testing.T) {
	l := New("r")
	name := filepath.Join(t.TempDir(), "log")
	if err := l.Open(name); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Printf("first %s", strings.Repeat("x", maxSize))
	l.Printf("second")
	old, err := os.ReadFile(name + ".1")
	if err != nil || !strings.Contains(string(old), "first") {
		t.Errorf("rotated file: %v", err)
	}
	if now, _ := os.ReadFile(name); !strings.Contains(string(now), "second") || strings.Contains(string(now), "first") {
		t.Errorf("new file is %q", now)
	}
	for range 20 {
		l.Printf("more")
	}
	if n := len(l.Last()); n != keepLast {
		t.Errorf("%d messages kept, want %d", n, keepLast)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	link, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
	if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{link, fifo, dir, filepath.Join(dir, "no", "file")} {
		if err := New("r").Open(name); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
