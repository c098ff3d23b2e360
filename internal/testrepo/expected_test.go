package testrepo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// TestExpectedIsTheToolsListing imports a directory of this machine and compares
// with what the listing tool says of that very directory.
func TestExpectedIsTheToolsListing(t *testing.T) {
	tool := testenv.Shared(t, "tools", "listtree.py")
	testenv.Needs(t, testenv.Tool("python3", "python3-minimal"))
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(at("a/b c"), 0o755))
	must(os.WriteFile(at("a/f%\xe4"), []byte("content"), 0o640))
	must(os.WriteFile(at("a/one"), nil, 0o4711))
	must(os.Link(at("a/one"), at("a/b c/two")))
	must(os.Symlink("../x y", at("a/link")))
	must(syscall.Mkfifo(at("fifo"), 0o600))
	must(os.Chmod(at("a"), 0o1777))
	must(os.Chtimes(at("a/one"), time.Time{}, time.Unix(77, 88)))
	if err := unix.Lsetxattr(at("a/one"), "user.k", []byte{0, 255}, 0); err != nil {
		t.Logf("without attributes: %v", err)
	}
	out, err := exec.Command("python3", tool, dir).Output()
	must(err)
	r := New("x.example.org")
	must(r.AddDir("", dir))
	got, err := publish(t, r).Expected(View{})
	must(err)
	if d := cmp.Diff(strings.Split(strings.TrimSpace(string(out)), "\n"), got); d != "" {
		t.Errorf("-tool +expected:\n%s", d)
	}
}

func TestExpected(t *testing.T) {
	p := publish(t, everything())
	lines := func(v View) map[string][]string {
		t.Helper()
		l, err := p.Expected(v)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][]string{}
		for _, s := range l {
			f := strings.Split(s, "\t")
			out[f[0]] = f[1:]
		}
		return out
	}
	root := lines(View{Env: map[string]string{"A": "", "B": "bee"}, Owner: func(u, g uint32) (uint32, uint32) { return u + 1, g + 1 }})
	for path, want := range map[string]string{
		"/variant":     "l 0777 1 1 17 1767225600000000000 1 x//bee/$(unclosed - -",
		"/plain":       "f 0640 11 21 8 5000000007 1 - 434728a410a78f56fc1b5899c3593436e61ab0c731e9072d95e96db290205e53 -",
		"/d/2":         "f 0600 1 1 6 1767225600000000000 2 - 2272bea616a05ae194c58b63752b39924a7beed67597c20dcb5586d1ee517290 -",
		"/fifo":        "p 0644 1 1 0 1767225600000000000 1 - - -",
		"/nested/deep": "d 0755 1 1 - 1767225600000000000 - - - -",
	} {
		got := strings.Join(root[path], " ")
		if got != want {
			t.Errorf("%s: got %s\nwant %s", path, got, want)
		}
	}
	if !strings.HasSuffix(strings.Join(root["/exe"], " "), " user.a=78;user.b=00ff") {
		t.Errorf("attributes: %v", root["/exe"])
	}
	if root["/odd%20%E4%25%09"] == nil || root["/.hidden"] != nil || root["/.hidden/x"] != nil {
		t.Errorf("names: %v", root)
	}
	if got := lines(View{})["/variant"][7]; got != "x/1//$(unclosed" {
		t.Errorf("target with unset variables: %s", got)
	}
	user := lines(View{Reader: &Reader{UID: 11, GID: 20}})
	if user["/d/1"][8] != "EACCES" || user["/plain"][8] == "EACCES" {
		t.Errorf("an ordinary reader: %v %v", user["/d/1"], user["/plain"])
	}
}
