package testrepo

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestAddFS(t *testing.T) {
	when := time.Unix(1_600_000_000, 5)
	r := New("fs.example.org")
	err := r.AddFS("/sub/", fstest.MapFS{
		"a/f":  {Data: []byte("content"), Mode: 0o600, ModTime: when},
		"a/l":  {Data: []byte("f"), Mode: fs.ModeSymlink | 0o777, ModTime: when},
		"a/d":  {Mode: fs.ModeDir | 0o711, ModTime: when},
		"none": {Mode: 0o444},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := publish(t, r).Expected(View{})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(lines, "\n")
	for _, want := range []string{
		"/sub/a/f\tf\t0600\t0\t0\t7\t1600000000000000005\t1\t-\t",
		"/sub/a/l\tl\t0777\t0\t0\t1\t1600000000000000005\t1\tf\t-",
		"/sub/a/d\td\t0711\t0\t0\t-\t1600000000000000005\t-\t-\t-",
		"/sub/none\tf\t0444\t0\t0\t0\t1767225600000000000\t1\t-\t",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no line %q in\n%s", want, got)
		}
	}
	if err := New("fs.example.org").AddFS("", fstest.MapFS{"p": {Mode: fs.ModeNamedPipe}}); err == nil {
		t.Error("a pipe was accepted")
	}
}
