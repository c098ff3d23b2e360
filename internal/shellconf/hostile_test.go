package shellconf

import (
	"context"
	"errors"
	"runtime"
	"strings"
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
