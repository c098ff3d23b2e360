package shellconf

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// evalText evaluates one file without any roots.
func evalText(t testing.TB, text string) (map[string]string, *Result, error) {
	t.Helper()
	r, err := Eval(t.Context(), Options{Seed: 1}, File{Path: "/etc/cvmfs/default.conf", Data: []byte(text)})
	if err != nil {
		return nil, nil, err
	}
	m := map[string]string{}
	for _, v := range r.Vars {
		m[v.Name] = v.Value
	}
	return m, r, nil
}

// scripts are pieces of shell that a POSIX shell and we must agree on. What they
// assign to A, B and C is compared.
var scripts = []struct{ name, text string }{
	{"assign", "A=1\nB='two  words'\nC=\"$A$B\""},
	{"escapes", `A=a\ b\$c; B="a\b\$c\"d\\e"; C='a\b'`},
	{"continued line", "A=one\\\ntwo\nB=\"one\\\ntwo\""},
	{"comments", "A=1#2 # three\nB='# no' # yes"},
	{"empty", "A=\nB=''\nC=\"\""},
	{"newline", "A='one\ntwo'"},
	{"default", "B=${A:-x}; A=; C=${A:-y}${A-z}"},
	{"assign default", `A="${A:=DIRECT}"; A="${A:=other}"; B=${C:=7}`},
	{"alternative", "A=1; B=${A:+set}; C=${X:+set}${A+yes}"},
	{"nested default", `A="${X:-${Y:-"in ner"}}"`},
	{"quotes in default", `A=${X:-'a  b'}; B="${X:-a  'b'}"`},
	{"length", "A=hello; B=${#A}; C=${#X}"},
	{"strip", "A=a/b/c.tar.gz; B=${A##*/}-${A#*/}-${A%.*}-${A%%.*}; C=${A%/*}${A#x}"},
	{"strip class", `A=x12y; B=${A%%[0-9]*}; C=${A#[!0-9]}`},
	{"strip quoted", `A='*a*'; B=${A#'*'}; C=${A%"*"}`},
	{"strip variable", `P='a*'; A=banana; B=${A%$P}; C=${A%"$P"}`},
	{"if", `if [ -z "$X" ]; then A=1; elif true; then A=2; else A=3; fi; if false; then B=1; else B=2; fi`},
	{"if status", "if [ a = b ]; then A=1; fi; B=$?"},
	{"and or", "[ a = a ] && A=1 || A=2; [ a = b ] && B=1 || B=2; ! false && C=3"},
	{"test numbers", `[ 10 -gt 9 ] && A=1; [ " 7 " -eq 7 ] && B=1; [ 1 -ne 1 ] || C=1`},
	{"test unset", `[ -z $X ] && A=1; [ -n $X ] && B=1; [ ! -n "$X" ] && C=1`},
	{"test and or", `[ a = a -a b = b ] && A=1; [ a = b -o b = b ] && B=1; [ ! a = b ] && C=1`},
	{"test odd words", `[ "!" ] && A=1; [ "(" = "(" ] && B=1; [ ! "" ] && C=1`},
	{"case", `for X in a bc 'd*' 9 ''; do case "$X" in a|z) A=$A.one;; b?) A=$A.two;; 'd*') A=$A.three;; [0-9]) A=$A.num;; *) A=$A.any;; esac; done`},
	{"case no match", "case x in y) A=1;; esac; B=$?"},
	{"for", "for i in 1 2 3; do A=$A$i; done"},
	{"for split", "L='a  b\tc'; for i in $L; do A=$A.$i; done; for i in \"$L\"; do B=$B.$i; done"},
	{"for ifs", "IFS=:; L=a::b:c; for i in $L; do A=$A.$i; done"},
	{"for ifs mixed", "IFS=' :'; L=' a : b  c:'; for i in $L; do A=$A.$i; done"},
	{"while", "i=0; while [ $i -lt 5 ]; do i=$((i+1)); [ $i -eq 2 ] && continue; [ $i -eq 4 ] && break; A=$A$i; done; B=$i"},
	{"until", "i=0; until [ $i -ge 3 ]; do i=$((i + 1)); done; A=$i"},
	{"break two", "for i in 1 2; do for j in 1 2; do A=$A$i$j; break 2; done; done"},
	{"continue two", "for i in 1 2; do for j in 1 2; do A=$A$i$j; continue 2; done; done"},
	{"arithmetic", "A=$((1 + 2 * 3 - 8 / 3 % 2)); B=$(( (1+2)*3 )); C=$((-5 / 2))"},
	{"arithmetic bits", "A=$((0xff & ~15 | 3 ^ 1)); B=$((1 << 10 >> 2)); C=$((010))"},
	{"arithmetic logic", "A=$((1 < 2 && 3 > 4 || 5 == 5)); B=$((!7)); C=$((1 ? 2 : 3))"},
	{"arithmetic variables", "X=4; A=$((X * $X)); B=$((Y + 1)); C=$((X += 2))$X"},
	{"arithmetic wrap", "A=$((9223372036854775807 + 1))"},
	{"function", `f() { A=$1; B=$#; return 3; }; f x y; C=$?`},
	{"function params", `f() { for p in "$@"; do A="$A<$p>"; done; shift; B=$1; C="$*"; }; f 'a b' c d`},
	{"local", "X=out; f() { local X=in; A=$X; X=changed; }; f; B=$X"},
	{"recursion", "f() { [ $1 -le 0 ] && return; A=$A$1; f $(($1 - 1)); }; f 5"},
	{"export readonly", "export A=1; readonly B=2; C=3; export C"},
	{"export default", "export A=${A:=default}"},
	{"unset", "A=1; B=2; unset A; C=${A-gone}"},
	{"eval", `X=A; eval $X=5; eval "B=\$$X"`},
	{"block and null", "{ A=1; : ; } >/dev/null 2>&1; true && B=2"},
	{"semicolons", "A=1;B=2;C=3;"},
	{"glob is literal", "A=/etc/*; set_of=$A; B=\"*\""},
	{"tilde", "HOME=/home/me; A=~/x; B=\"~/x\"; C=a~"},
	{"utf-8", "A='zażółć'; B=${A#zaż}"},
	{"nested if in loop", "for i in 1 2 3 4; do if [ $((i % 2)) -eq 0 ]; then A=$A$i; fi; done"},
	{"return ends file", "A=1; return 0; A=2"},
	{"or chain", `if [ -z "$P" ] || [ "$P" = "http://wpad/wpad.dat" ]; then A=1; fi`},
	{"url", `A="http://a:80/cvmfs/@fqrn@;http://b/x?y=z&w"`},
	{"carriage", "A=1 B=2\nC=3"},
}

func TestEvalLikeShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		testenv.Skip(t, "no sh to compare with")
	}
	for _, tc := range scripts {
		t.Run(tc.name, func(t *testing.T) {
			got, _, err := evalText(t, tc.text)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "f.sh")
			if err := os.WriteFile(file, []byte(tc.text), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(sh, "-fc", `. "$0"; printf '%s\0%s\0%s' "$A" "$B" "$C"`, file)
			cmd.Env = []string{"PATH=/nowhere"}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("sh: %v: %s", err, out)
			}
			want := strings.Split(string(out), "\x00")
			if diff := cmp.Diff(want, []string{got["A"], got["B"], got["C"]}); diff != "" {
				t.Errorf("A, B, C (-sh +got):\n%s", diff)
			}
		})
	}
}

// TestEvalBash has what bash alone does; it is what /bin/sh is on the systems that
// the configuration is written for.
func TestEvalBash(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"double brackets", `[[ $X == "" && abc == a* && ! x == y ]] && A=1`, "1"},
		{"double brackets quoted", `[[ abc == "a*" ]] || A=1`, "1"},
		{"append", "A=1; A+=2", "12"},
		{"replace", "X=a.b.c; A=${X//./-}${X/./+}", "a-b-ca+b.c"},
		{"replace pattern", "X=abcabc; A=${X/b*/X}${X/#a/Y}${X/%c/Z}", "aXYbcabcabcabZ"},
		{"slice", "X=abcdef; A=${X:1:2}${X: -2}${X:4}", "bcefef"},
		{"case of letters", "X=aB; A=${X^^}${X,,}", "ABab"},
		{"power", "A=$((2 ** 10))", "1024"},
		{"arithmetic command", "i=1; ((i++)); if ((i > 1)); then A=$i; fi", "2"},
		{"source", "source /nowhere; A=1", "1"},
		{"function keyword", "function f { A=1; }; f", "1"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, _, err := evalText(t, tc.text)
			if tc.name == "source" {
				if !errors.Is(err, ErrOutside) {
					t.Fatalf("got %v, want %v", err, ErrOutside)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got["A"] != tc.want {
				t.Errorf("got %q, want %q", got["A"], tc.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name, text string
		line       int
		want       error
	}{
		{"command", "A=1\n\ntouch /tmp/x", 3, ErrRefused},
		{"command by path", "/bin/true", 1, ErrRefused},
		{"command by variable", "X=touch\n$X y", 2, ErrRefused},
		{"command in if", "if true; then\n grep x y\nfi", 2, ErrRefused},
		{"substitution", "A=$(id)", 1, ErrRefused},
		{"substitution in quotes", "A=\"x$(id)\"", 1, ErrRefused},
		{"backquotes", "A=`id`", 1, ErrRefused},
		{"substitution in default", "A=${X:-$(id)}", 1, ErrRefused},
		{"substitution in arithmetic", "A=$(( $(id) ))", 1, ErrRefused},
		{"substitution of a builtin", "A=$(echo x)", 1, ErrRefused},
		{"process substitution", ". <(echo A=1)", 1, ErrRefused},
		{"write", "echo x > /tmp/x", 1, ErrRefused},
		{"write nothing", "> /tmp/x", 1, ErrRefused},
		{"append", "echo x >> /etc/passwd", 1, ErrRefused},
		{"read", ": < /etc/passwd", 1, ErrRefused},
		{"here-document", "cat <<X\nX\n", 1, ErrRefused},
		{"here-string", "true <<< x", 1, ErrRefused},
		{"pipeline", "echo x | true", 1, ErrRefused},
		{"background", "true &", 1, ErrRefused},
		{"subshell", "(A=1)", 1, ErrRefused},
		{"exec", "exec true", 1, ErrRefused},
		{"trap", "trap true EXIT", 1, ErrRefused},
		{"exit", "exit 0", 1, ErrRefused},
		{"command builtin", "command true", 1, ErrRefused},
		{"set", "set -e", 1, ErrRefused},
		{"declare", "declare -a A", 1, ErrRefused},
		{"array", "A=(1 2)", 1, ErrRefused},
		{"array element", "A[1000000000]=1", 1, ErrRefused},
		{"indirect", "B=${!A}", 1, ErrRefused},
		{"transform", "A=${A@P}", 1, ErrRefused},
		{"ansi quotes", `A=$'\n'`, 1, ErrRefused},
		{"time", "time true", 1, ErrRefused},
		{"coproc", "coproc true", 1, ErrRefused},
		{"select", "select X in a; do :; done", 1, ErrRefused},
		{"read builtin", "read X", 1, ErrRefused},
		{"printf to variable", "printf -v A %s x", 1, ErrRefused},
		{"eval of a command", "eval 'to''uch /tmp/x'", 1, ErrRefused},
		{"include outside", ". /root/x", 1, ErrOutside},
		{"include /proc", ". /proc/self/environ", 1, ErrOutside},
		{"syntax", "A=1\nif true\n", 2, ErrSyntax},
		{"division", "A=1\nB=$((1/0))", 2, errDivision},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := evalText(t, tc.text)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%v names no place", err)
			}
			if e.File != "/etc/cvmfs/default.conf" || e.Line != tc.line {
				t.Errorf("got place %s:%d, want line %d", e.File, e.Line, tc.line)
			}
			if exit.CodeOf(err) != exit.Config {
				t.Errorf("got exit code %d", exit.CodeOf(err))
			}
			// In a branch that is not taken it does no harm.
			if tc.want != ErrSyntax {
				got, _, err := evalText(t, "if false; then\n"+tc.text+"\nfi\nA=after")
				if err != nil || got["A"] != "after" {
					t.Errorf("not taken: A=%q, %v", got["A"], err)
				}
			}
		})
	}
}

func TestLiteral(t *testing.T) {
	got, _, err := evalText(t, `A='$(id)'; B='`+"`id`"+`'; C=\$\(id\)`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"A": "$(id)", "B": "`id`", "C": "$(id)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
