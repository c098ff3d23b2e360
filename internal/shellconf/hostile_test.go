package shellconf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// ceiling is how much memory an evaluation may make the process take from the
// system, whatever it is given: heap, stacks and what the collector has not returned.
const ceiling = 256 << 20

// bounded fails the test when f makes the process grow beyond the ceiling.
func bounded(t testing.TB, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > ceiling {
		t.Errorf("took %d MB", grown>>20)
	} else {
		t.Logf("took %d MB", grown>>20)
	}
}

// fill returns repeated text of the size of one file, between two ends.
func fill(before, text, after string) string {
	return before + strings.Repeat(text, (maxFile-len(before)-len(after))/len(text)) + after
}

// TestHostile: configuration that wants too much ends, with an error that says so.
// A test that hangs is stopped by the test runner.
func TestHostile(t *testing.T) {
	tests := []struct {
		name, text string
		want       error
	}{
		{"endless loop", "while :; do :; done", ErrLimit},
		{"endless until", "until false; do X=1; done", ErrLimit},
		{"endless continue", "while true; do continue; done", ErrLimit},
		{"endless empty condition", "while [ 1 ]; do ((i++)); done", ErrLimit},
		{"nested loops", "for a in 1 2 3 4 5 6 7 8 9; do for b in 1 2 3 4 5 6 7 8 9; do while :; do break 2; done; done; done; while :; do :; done", ErrLimit},
		{"recursion", "f() { f; }; f", ErrLimit},
		{"mutual recursion", "f() { g; }; g() { f; }; f", ErrLimit},
		{"branching recursion", "f() { [ $1 -gt 40 ] && return; f $(($1 + 1)); f $(($1 + 1)); }; f 0", ErrLimit},
		{"recursive eval", `X='eval "$X"'; eval "$X"`, ErrLimit},
		{"growing eval", `X=:; while :; do X="$X;$X"; eval "$X"; done`, ErrLimit},
		{"function bomb", "f() { f | f & }; f", ErrRefused},
		{"doubling", "X=x; while :; do X=$X$X; done", ErrLimit},
		{"doubling in quotes", `X=x; while :; do X="$X$X"; done`, ErrLimit},
		{"doubling by append", "X=x; while :; do X+=$X; done", ErrLimit},
		{"doubling by replacement", "X=a; while :; do X=${X//a/aaaaaa}; done", ErrLimit},
		{"doubling by default", `X=x; while :; do unset Y; : "${Y:=$X$X}"; X=$Y; done`, ErrLimit},
		{"doubling by arguments", `f() { f "$@" "$@"; }; f x`, ErrLimit},
		{"doubling by parameters", `X=x; f() { X="$*$*"; }; while :; do f "$X"; done`, ErrLimit},
		{"doubling by case", "X=x; while :; do case $X$X in *) X=$X$X;; esac; done", ErrLimit},
		{"one long statement", "X=" + strings.Repeat("x", 60000) + "\n" + "X=" + strings.Repeat("$X", 2000), ErrLimit},
		{"many variables", "i=0; while :; do eval \"V$i=1\"; i=$((i+1)); done", ErrLimit},
		{"many large variables", `X=` + strings.Repeat("x", 30000) + `; for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 4 5 6 7 8 9; do export V$i$j=$X; done; done`, ErrLimit},
		{"many locals", `f() { local X=$1$1; f $X; }; f x`, ErrLimit},
		{"many fields", "IFS=:; X=" + strings.Repeat(":", 60000) + "; while :; do for i in $X; do :; done; done", ErrLimit},
		{"warnings", "readonly R=" + strings.Repeat("r", 60000) + "; while :; do R=2; done", ErrLimit},
		{"printf", "while :; do printf %1000000000d 1; done", ErrLimit},
		{"pattern", "X=" + strings.Repeat("a", 20000) + "\nwhile :; do case $X in " + strings.Repeat("*a", 500) + "*b) :;; esac; done", ErrLimit},
		{"longest suffix", "X=" + strings.Repeat("a", 60000) + "; A=${X%%" + strings.Repeat("*a", 50) + "b}", ErrLimit},
		{"replacement by pattern", "X=" + strings.Repeat("a", 60000) + "; A=${X//*b/c}", ErrLimit},
		{"large arithmetic", "A=$((999999999 ** 999999999999 * 7)); i=0; while ((i += 2 ** 60, 1)); do :; done", ErrLimit},
		{"large file", strings.Repeat("#", maxFile+1), nil}, // given as data: the caller has read it
		{"many parentheses", fill("", "(", ""), ErrLimit},
		{"many substitutions", fill("", "$(", ""), ErrLimit},
		{"many backquotes", fill("", "`\\`", ""), ErrLimit},
		{"many brackets", fill("x", "[1", ""), ErrLimit},
		{"many arithmetics", fill("A=", "$((-", ""), ErrLimit},
		{"deep blocks", fill("", "{ ", ""), ErrLimit},
		{"deep blocks, closed", strings.Repeat("{ ", 10000) + ":;" + strings.Repeat(" };", 10000), ErrLimit},
		{"deep defaults", fill("A=", "${x:-", ""), ErrSyntax},
		{"deep defaults, closed", "A=" + strings.Repeat("${x:-", 8000) + "1" + strings.Repeat("}", 8000), ErrLimit},
		{"deepest if", fill("", "if :; then ", ""), ErrSyntax},
		{"deepest while", fill("", "while ", ""), ErrSyntax},
		{"deepest case", fill("", "case x in x) ", ""), ErrSyntax},
		{"deepest time", fill("", "time ", ":"), ErrRefused},
		{"deepest functions", fill("", "f() ", ":"), ErrLimit},
		{"deep if", strings.Repeat("if :; then ", 3000) + ":;" + strings.Repeat(" fi;", 3000), ErrLimit},
		{"long and", fill("", ": && ", ":"), ErrLimit},
		{"long sum", fill("A=$((", "1+", "1))"), ErrLimit},
		{"long negation", fill("A=$((", "- ", "1))"), ErrLimit},
		{"long ternary", fill("A=$((", "0?1:", "1))"), ErrLimit},
		{"long test", fill("[[ ", "! ", "a ]]"), ErrLimit},
		{"long classic test", fill("[ ", "! ", "a ]"), ErrLimit},
		{"many statements", fill("", "a=;", ""), nil},
		{"brace sequence", "A={1..1000000000}; for i in {1..1000000000}; do A=$i; done", nil},
		{"glob", "for i in /*/*/*/* /**/*; do A=$i; done", nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			bounded(t, func() {
				_, _, err := evalText(t, tc.text)
				if !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
			})
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Eval(ctx, Options{}, File{Path: "/f", Data: []byte("while :; do :; done")})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

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

func TestResult(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "etc/cvmfs/b.conf"), "\nB=2\nA=3\n")
	_, r, err := rooted(t, dir, "A=1\n. ./b.conf\nreadonly C=x\nC=y\nexport D=\nexport E\nC=x\n")
	if err != nil {
		t.Fatal(err)
	}
	etc := filepath.Join(dir, "etc/cvmfs")
	var got []string
	for _, v := range r.Vars {
		got = append(got, fmt.Sprintf("%s=%s %s:%d %v %v", v.Name, v.Value, strings.TrimPrefix(v.File, etc), v.Line, v.Exported, v.ReadOnly))
	}
	want := "A=3 /b.conf:3 false false|B=2 /b.conf:2 false false|C=x /default.conf:3 false true|D= /default.conf:5 true false"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if len(r.Warnings) != 1 || r.Warnings[0].Line != 4 || !strings.Contains(r.Warnings[0].Text, "readonly") {
		t.Errorf("warnings: %v", r.Warnings)
	}
}

func TestSetAndPin(t *testing.T) {
	e, err := New(t.Context(), Options{Env: map[string]string{"HOME": "/h", "X": "env"}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	run := func(text string) {
		t.Helper()
		if _, err := e.Source(File{Path: "/f", Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	e.Pin("P", false)
	run("P=file; readonly R=1; A=$X-$HOME")
	if err := e.Set("R", "2", "caller"); err != nil {
		t.Fatal(err)
	}
	if err := e.Set("Q", "pinned", "caller"); err != nil {
		t.Fatal(err)
	}
	e.Pin("Q", true)
	run("Q=file; unset Q; B=$Q")
	for name, want := range map[string]string{"R": "2", "Q": "pinned", "B": "pinned", "A": "env-/h"} {
		if got, _ := e.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if _, ok := e.Get("P"); ok {
		t.Error("P has a value")
	}
	r := e.Result()
	if len(r.Warnings) != 1 {
		t.Errorf("warnings: %v", r.Warnings)
	}
	for _, v := range r.Vars {
		if v.Name == "X" || v.Name == "HOME" {
			t.Errorf("%s of the environment is in the result", v.Name)
		}
	}
	if err := e.Set("a b", "", "caller"); err == nil {
		t.Error("a name with a blank was set")
	}
}

// TestRandom: RANDOM and $$ spread, and are repeatable with a seed.
func TestRandom(t *testing.T) {
	value := func(seed uint64) string {
		r, err := Eval(t.Context(), Options{Seed: seed}, File{Path: "/f", Data: []byte("A=$RANDOM-$RANDOM-$$; [ $((RANDOM % 2)) -lt 2 ] || A=bad")})
		if err != nil {
			t.Fatal(err)
		}
		return r.Vars[0].Value
	}
	if a, b := value(7), value(7); a != b {
		t.Errorf("same seed: %s and %s", a, b)
	}
	seen := map[string]bool{}
	for range 20 {
		seen[value(0)] = true
	}
	if len(seen) < 10 {
		t.Errorf("without a seed only %d different values of 20", len(seen))
	}
}

// FuzzEval: an evaluation ends within its limits, runs nothing, writes nothing and
// reads nothing outside its roots.
func FuzzEval(f *testing.F) {
	for _, s := range scripts {
		f.Add(s.text)
	}
	for _, s := range []string{". /etc/common.conf", ". ../../secret", ". /proc/self/environ", "A=$(id)", "echo x >/etc/new", "while :; do X=$X$X.; done",
		"f() { f; }; f", "[ -f /etc/debian_version ] && grep -q x /etc/y", "A=${X//a/b}", "case $X in [!a-z]*) ;; esac", "A=${X:1:-1}", ". ./link.conf"} {
		f.Add(s)
	}
	dir := f.TempDir()
	const secret = "zq8secret"
	put(f, filepath.Join(dir, "secret"), "SECRET="+secret+"\n")
	put(f, filepath.Join(dir, "etc/common.conf"), "COMMON=1\n")
	link(f, "../../secret", filepath.Join(dir, "etc/cvmfs/link.conf"))
	f.Fuzz(func(t *testing.T, text string) {
		if testing.Short() || len(text) > maxFile || strings.Contains(text, secret) {
			return
		}
		r, err := Eval(t.Context(), Options{Roots: []Root{{"/etc", filepath.Join(dir, "etc")}}, Seed: 1}, File{Path: "/etc/cvmfs/f.conf", Data: []byte(text)})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.File == "" {
				t.Errorf("%v names no file", err)
			}
			return
		}
		total := 0
		for _, v := range r.Vars {
			total += len(v.Name) + len(v.Value)
			if strings.Contains(v.Value, secret) {
				t.Errorf("%s has what is outside", v.Name)
			}
		}
		if total > maxVars {
			t.Errorf("%d bytes of variables", total)
		}
		if n, _ := filepath.Glob(filepath.Join(dir, "*")); len(n) != 2 {
			t.Errorf("files appeared: %q", n)
		}
	})
}

// FuzzMatch compares the pattern matcher with the shell's idea of prefixes: a text
// matches itself when every character is escaped, and * before and behind it.
func FuzzMatch(f *testing.F) {
	f.Add("a*b", "axxb")
	f.Add("[!a-c]?", "zz")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern)+len(s) > 200 {
			return
		}
		e := &Evaluator{meter: meter{ctx: t.Context(), check: 1 << 40}}
		e.match(pattern, s) // must end
		x := expander{e: e, mode: modePattern}
		if err := x.add(s, quoted); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{string(x.buf), "*" + string(x.buf), string(x.buf) + "*", "*" + string(x.buf) + "*"} {
			if ok, err := e.match(p, s); !ok || err != nil {
				t.Errorf("%q does not match %q: %v", p, s, err)
			}
		}
		if len(s) > 0 {
			if ok, _ := e.match(string(x.buf), s[1:]); ok {
				t.Errorf("%q matches %q", x.buf, s[1:])
			}
		}
	})
}

// BenchmarkEval is one domain file of the usual size.
func BenchmarkEval(b *testing.B) {
	text := "CVMFS_USE_CDN=\"$CVMFS_USE_CDN\"\nif [ \"$CVMFS_USE_CDN\" = yes ]; then\n  CVMFS_SERVER_URL=a\nelse\n  CVMFS_SERVER_URL=\"http://a/cvmfs/@fqrn@;http://b/cvmfs/@fqrn@\"\nfi\nCVMFS_KEYS_DIR=$CVMFS_MOUNT_DIR/x\n"
	for b.Loop() {
		if _, err := Eval(b.Context(), Options{Seed: 1}, File{Path: "/f", Data: []byte(text)}); err != nil {
			b.Fatal(err)
		}
	}
}
