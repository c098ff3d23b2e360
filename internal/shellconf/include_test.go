package shellconf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// rooted evaluates /etc/cvmfs/default.conf of a directory that stands for /etc, and
// returns what it says, without the real path.
func rooted(t testing.TB, dir, text string) (map[string]string, *Result, error) {
	t.Helper()
	etc := filepath.Join(dir, "etc")
	put(t, filepath.Join(etc, "cvmfs/default.conf"), text)
	r, err := Eval(t.Context(), Options{Roots: []Root{{"/etc", etc}, {"/cvmfs/cfg.example.org", filepath.Join(dir, "cfg")}}},
		File{Path: "/etc/cvmfs/default.conf"}, File{Path: "/etc/cvmfs/missing.conf"})
	if err != nil {
		return nil, nil, err
	}
	m := map[string]string{}
	for _, v := range r.Vars {
		m[v.Name] = v.Value
	}
	return m, r, nil
}

func put(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, target, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "secret"), "A=secret\n")
	put(t, filepath.Join(dir, "etc/common.conf"), "A=common\n")
	put(t, filepath.Join(dir, "etc/cvmfs/sub/one.conf"), ". ./two.conf\n. ./three.conf\n")
	put(t, filepath.Join(dir, "etc/cvmfs/sub/two.conf"), "A=two\n")
	put(t, filepath.Join(dir, "etc/cvmfs/three.conf"), "B=three\n")
	put(t, filepath.Join(dir, "etc/cvmfs/return.conf"), "A=1; return; A=2\n")
	put(t, filepath.Join(dir, "etc/cvmfs/self.conf"), ". ./self.conf\n")
	put(t, filepath.Join(dir, "etc/cvmfs/bad.conf"), "A=1\n\n  id\n")
	put(t, filepath.Join(dir, "etc/cvmfs/large.conf"), strings.Repeat("#", maxFile+1))
	put(t, filepath.Join(dir, "cfg/etc/cvmfs/x.conf"), "A=repo\n")
	etc := filepath.Join(dir, "etc/cvmfs")
	link(t, "sub/two.conf", filepath.Join(etc, "relative.conf"))
	link(t, "/cvmfs/cfg.example.org/etc/cvmfs/x.conf", filepath.Join(etc, "absolute.conf"))
	link(t, "/cvmfs/cfg.example.org/etc", filepath.Join(etc, "absolute.d"))
	link(t, "../../secret", filepath.Join(etc, "up.conf"))
	link(t, filepath.Join(dir, "secret"), filepath.Join(etc, "out.conf"))
	link(t, "/proc/self/environ", filepath.Join(etc, "proc.conf"))
	link(t, "/dev/zero", filepath.Join(etc, "dev.conf"))
	link(t, "loop.conf", filepath.Join(etc, "loop.conf"))
	link(t, "/etc/cvmfs/round.conf", filepath.Join(etc, "round.conf"))
	link(t, "nowhere", filepath.Join(etc, "dangling.conf"))
	if err := syscall.Mkfifo(filepath.Join(etc, "fifo.conf"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, text string
		a, b       string
		err        error
		where      string // file:line of the error
	}{
		{name: "relative", text: ". ../common.conf", a: "common"},
		{name: "absolute", text: ". /etc/common.conf", a: "common"},
		{name: "by variable", text: "D=/etc; source $D/common.conf", a: "common"},
		{name: "other root", text: ". /cvmfs/cfg.example.org/etc/cvmfs/x.conf", a: "repo"},
		{name: "including and outermost directory", text: ". ./sub/one.conf", a: "two", b: "three"},
		{name: "missing is skipped", text: "A=1\n. ./nope\n. nope\n. ./common.conf/x\nB=2", a: "1", b: "2"},
		{name: "return ends the file only", text: ". ./return.conf\nB=2", a: "1", b: "2"},
		{name: "relative link", text: ". ./relative.conf", a: "two"},
		{name: "absolute link into a root", text: ". ./absolute.conf", a: "repo"},
		{name: "directory link into a root", text: ". ./absolute.d/cvmfs/x.conf", a: "repo"},
		{name: "dangling link", text: ". ./dangling.conf\nB=2", b: "2"},
		{name: "self", text: ". ./self.conf", err: ErrLimit, where: "self.conf:1"},
		{name: "itself", text: ". ./default.conf", err: ErrLimit, where: "default.conf:1"},
		{name: "error in it", text: ". ./bad.conf", err: ErrRefused, where: "bad.conf:3"},
		{name: "large", text: "\n. ./large.conf", err: ErrLimit, where: "default.conf:2"},
		{name: "outside", text: ". " + filepath.Join(dir, "secret"), err: ErrOutside, where: "default.conf:1"},
		{name: "up", text: ". ../../secret", err: ErrOutside, where: "default.conf:1"},
		{name: "link up", text: ". ./up.conf", err: ErrOutside, where: "default.conf:1"},
		{name: "link out", text: ". ./out.conf", err: ErrOutside, where: "default.conf:1"},
		{name: "link to /proc", text: ". ./proc.conf", err: ErrOutside, where: "default.conf:1"},
		{name: "link to a device", text: ". ./dev.conf", err: ErrOutside, where: "default.conf:1"},
		{name: "link loop", text: ". ./loop.conf", err: syscall.ELOOP, where: "default.conf:1"},
		{name: "absolute link loop", text: ". ./round.conf", err: syscall.ELOOP, where: "default.conf:1"},
		{name: "fifo", text: ". ./fifo.conf", err: ErrRefused, where: "default.conf:1"},
		{name: "directory", text: ". ./sub", err: ErrRefused, where: "default.conf:1"},
		{name: "test", text: "[ -f common.conf ] || A=no; [ -f ../common.conf ] && [ -d sub ] && [ -s /etc/common.conf ] && B=yes", a: "no", b: "yes"},
		{name: "test outside", text: "[ -e /bin/sh ] || A=no; [ -e ../../secret ] || B=no", a: "no", b: "no"},
		{name: "test links and fifo", text: "[ -f ./fifo.conf ] || A=no; [ -e ./out.conf ] || [ -e ./proc.conf ] || B=no", a: "no", b: "no"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, _, err := rooted(t, dir, tc.text)
			if tc.err == nil {
				if err != nil {
					t.Fatal(err)
				}
				if got["A"] != tc.a || got["B"] != tc.b {
					t.Errorf("got A=%q B=%q, want %q %q", got["A"], got["B"], tc.a, tc.b)
				}
				return
			}
			if !errors.Is(err, tc.err) {
				t.Fatalf("got %v, want %v", err, tc.err)
			}
			var e *Error
			if !errors.As(err, &e) || !strings.HasPrefix(fmt.Sprintf("%s:%d", e.File, e.Line), etc+"/") || !strings.HasSuffix(fmt.Sprintf("%s:%d", e.File, e.Line), tc.where) {
				t.Errorf("got %q, want place %s", err, tc.where)
			}
		})
	}
}

func TestManyIncludes(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "etc/x"), "")
	for _, text := range []string{"while :; do . /etc/x; done", "while :; do . /etc/nope; done", "while :; do [ -e /etc/x ]; done"} {
		if _, _, err := rooted(t, dir, text); !errors.Is(err, ErrLimit) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
