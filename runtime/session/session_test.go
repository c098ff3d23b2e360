package session

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/mode"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/unpack"
)

func TestStatusFile(t *testing.T) {
	tests := []struct {
		name string
		res  mode.Result
		code exit.Code
		err  error
		want string
	}{
		{"ended", mode.Result{Status: 7}, 7, nil, `{"outcome":"ended","code":7}`},
		{"signal", mode.Result{Signal: unix.SIGTERM}, 0, nil, `{"outcome":"ended","code":143,"signal":"SIGTERM"}`},
		{"realtime signal", mode.Result{Signal: 40}, 0, nil, `{"outcome":"ended","code":168}`},
		{"failed", mode.Result{}, exit.Trust, exit.Errorf(exit.Trust, "mount %q: \xff", "a.b").Hint("x"), `{"outcome":"failed","code":22,"error":"mount \"a.b\": ` + "\\ufffd" + `","hints":["x"]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "status")
			if err := os.WriteFile(filepath.Join(dir, "other"), []byte("keep"), 0o644); err != nil {
				t.Fatal(err)
			}
			// a link is replaced, not followed
			if err := os.Symlink("other", path); err != nil {
				t.Fatal(err)
			}
			if err := writeStatus(path, tt.res, tt.code, tt.err); err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != tt.want+"\n" {
				t.Errorf("%q, %v; want %q", data, err, tt.want)
			}
			if data, _ := os.ReadFile(filepath.Join(dir, "other")); string(data) != "keep" {
				t.Error("the target of the link was written to")
			}
			if ents, _ := os.ReadDir(dir); len(ents) != 2 {
				t.Errorf("left: %v", ents)
			}
		})
	}
	if err := writeStatus(filepath.Join(t.TempDir(), "none", "x"), mode.Result{}, 0, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// Devices and pipes are written to and stay what they are.
func TestStatusToPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeStatus(path, mode.Result{Status: 3}, 3, nil); !errors.Is(err, unix.ENXIO) {
		t.Errorf("a pipe that nobody reads: %v; want ENXIO", err)
	}
	r, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := writeStatus(path, mode.Result{Status: 3}, 3, nil); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := r.Read(buf); string(buf[:n]) != `{"outcome":"ended","code":3}`+"\n" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe became %v, %v", st.Mode(), err)
	}
}

func TestClientOf(t *testing.T) {
	for text, want := range map[string]string{
		"disttype: standard\nclient: builtin\n": "builtin",
		"client:rpm":                            "rpm",
		"disttype: standard\nmachtype: x\n":     "rpm",
		"":                                      "rpm",
		"x client: builtin\n":                   "rpm",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ".cvmfsexecdist"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := clientOf(dir); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	if got, err := clientOf(t.TempDir()); got != "rpm" || err != nil {
		t.Errorf("no description: %q, %v", got, err)
	}
}

// Simultaneous runs of upstream's client get caches of their own; a free one is used
// again.
func TestOwnCache(t *testing.T) {
	base := t.TempDir()
	for _, dir := range []string{"var/lib", "var/run", "dist"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	place := &unpack.Place{Base: base, State: base, Dist: filepath.Join(base, "dist")}
	get := func() (*session, string, string) {
		t.Helper()
		s, j := new(session), &mode.Job{Dist: place.Dist}
		if err := s.ownCache(j, place); err != nil {
			t.Fatal(err)
		}
		return s, strings.TrimPrefix(j.CacheBase, base), strings.TrimPrefix(j.RunDir, base)
	}
	first, c, r := get()
	if c != "" || r != "" {
		t.Errorf("first run: %q, %q; want the configuration's", c, r)
	}
	second, c, r := get()
	if c != "/var/lib/cvmfs-2" || r != "/var/run/cvmfs-2" {
		t.Errorf("second run: %q, %q", c, r)
	}
	third, c, _ := get()
	if c != "/var/lib/cvmfs-3" {
		t.Errorf("third run: %q", c)
	}
	second.lock.Close()
	again, c, _ := get()
	if c != "/var/lib/cvmfs-2" {
		t.Errorf("after the end of the second: %q", c)
	}
	for _, s := range []*session{first, third, again} {
		s.lock.Close()
	}
	for _, dir := range []string{"var/lib/cvmfs-2", "var/run/cvmfs-2"} {
		if st, err := os.Stat(filepath.Join(base, dir)); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v; want 0700", dir, st, err)
		}
	}
	// a link in place of the lock is not followed
	lockFile := filepath.Join(base, "var/run/cvmfs/run.lock")
	os.Remove(lockFile)
	if err := os.Symlink(filepath.Join(base, "elsewhere"), lockFile); err != nil {
		t.Fatal(err)
	}
	if err := new(session).ownCache(&mode.Job{Dist: place.Dist}, place); exit.CodeOf(err) != exit.Cache {
		t.Errorf("a link as lock: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(base, "elsewhere")); err == nil {
		t.Error("a file was made through the link")
	}
	// the built-in client shares
	if err := os.WriteFile(filepath.Join(place.Dist, ".cvmfsexecdist"), []byte("client: builtin\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, c, r := get()
	if s.lock != nil || c != "" || r != "" {
		t.Errorf("built-in client: %v, %q, %q", s.lock, c, r)
	}
}

func TestUsageErrors(t *testing.T) {
	tests := []struct {
		args []string
		code exit.Code
		out  string // of stdout or stderr
	}{
		{[]string{"--help"}, 0, "usage: cvmfsexec"},
		{[]string{"a.b"}, 1, "cvmfsexec: error: -- is missing"},
		{[]string{"-m", "x", "--"}, 1, "later version"},
		{[]string{"--mode", "2", "--"}, exit.NoMode, "mode 2 (user namespace + fusermount) comes in a later version"},
		{[]string{"nodomain", "--"}, 1, `"nodomain" is not a repository name`},
		{[]string{"--nope"}, 1, "hint: cvmfsexec --help"},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		s := session{stdout: &out, stderr: &out}
		if code := exit.Code(s.report(s.run(tt.args))); code != tt.code || !strings.Contains(out.String(), tt.out) {
			t.Errorf("%q: %d %q; want %d %q", tt.args, code, out.String(), tt.code, tt.out)
		}
	}
}
