package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/standin"
)

// A client that cannot serve ends the run with the exit code of docs/exit-codes.md and
// one line that names the cause in the client's own words.
func TestOSGClientFails(t *testing.T) {
	b := osgBundle(t)
	b.must(osgRepo, "--", "/bin/true")
	for _, c := range []struct {
		name  string
		args  []string // before --
		code  exit.Code
		repo  string // that the line names
		cause string
	}{
		{"23 no proxy", []string{"--set", "CVMFS_HTTP_PROXY=", osgRepo}, exit.NoServer, osgConfig, "failed to discover HTTP proxy servers"},
		{"15 no key", []string{"--set", "CVMFS_PUBLIC_KEY=/no/such/key.pub", osgRepo}, exit.Trust, osgConfig, "failed to load public key(s)"},
		{"9 no cache", []string{"--set", "CVMFS_CACHE_BASE=/proc/nowhere", osgRepo}, exit.Cache, osgConfig, "cannot create workspace directory /proc/nowhere/shared"},
		{"16 no server", []string{"nobody.example.org"}, exit.NoServer, "nobody.example.org", "Failed to initialize root file catalog"},
		{"5 no socket", []string{"--set", "CVMFS_RELOAD_SOCKETS=/proc/nowhere", osgRepo}, exit.Mount, osgConfig, "Failed to initialize loader socket"},
		{"2 two caches", []string{"--set", "CVMFS_CACHE_DIR=/tmp", osgRepo}, exit.Config, osgConfig, "mutually exclusive"},
		{"abort", []string{"--set", "CVMFS_USYSLOG=/proc/nowhere", osgRepo}, exit.Mount, osgConfig, "could not open usyslog file /proc/nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			osgFails(b, c.args, c.code, c.repo, c.cause)
		})
	}
	for name, lib := range map[string]string{
		"7 no stub":   "libcvmfs_fuse3_stub.so." + standin.Version,
		"7 no module": "libcvmfs_fuse3.so." + standin.Version,
		"127 no util": "libcvmfs_util.so." + standin.Version,
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			path := filepath.Join(osgDist(t, b), "usr/lib64", lib)
			if err := os.Rename(path, path+".away"); err != nil {
				t.Fatal(err)
			}
			defer os.Rename(path+".away", path)
			osgFails(b, []string{osgRepo}, exit.Mount, osgConfig, lib)
		})
	}
	b.t = t
	b.must(osgRepo, "--", "/bin/true")
}

func osgFails(b *bundle, args []string, code exit.Code, repo, cause string) {
	b.t.Helper()
	begin := time.Now()
	r := b.run(append(args, "--", "/bin/echo", "the command runs")...)
	if r.code != int(code) || r.stdout != "" {
		b.t.Errorf("exit status %d, stdout %q; want %d and nothing", r.code, r.stdout, code)
	}
	first, rest, _ := strings.Cut(r.stderr, "\n")
	if !strings.HasPrefix(first, "cvmfsexec: error: ") || !strings.Contains(first, repo) || !strings.Contains(first, cause) {
		b.t.Errorf("first line %q; want an error that names %s and %q", first, repo, cause)
	}
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "cvmfsexec: hint: ") {
			b.t.Errorf("further line %q", line)
		}
	}
	b.t.Logf("after %v: %s", time.Since(begin).Round(time.Millisecond), r.stderr)
}
