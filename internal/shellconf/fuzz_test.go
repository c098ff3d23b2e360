package shellconf

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

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
