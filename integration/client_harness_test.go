package integration

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// clientNS is a user and a mount namespace of the ordinary user in which a test
// mounts, held by a sleeping process. Everything that runs in it carries a marker.
type clientNS struct {
	t      testing.TB
	pid    int
	marker testenv.Marker
	dir    string // the ordinary user's, outside and inside
}

func newClientNS(t testing.TB) *clientNS {
	t.Helper()
	testenv.Needs(t, testenv.DevFuse, testenv.UserNS, testenv.Tool("nsenter", "util-linux"))
	ns := &clientNS{t: t, marker: testenv.NewMarker(), dir: testenv.Dir(t)}
	cmd := testenv.As(exec.Command("unshare", "-Urm", "sh", "-c", "echo ready; exec sleep 100000"))
	cmd.Env = append(os.Environ(), ns.marker.Env())
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("namespace: %q, %v", line, err)
	}
	ns.pid = cmd.Process.Pid
	t.Cleanup(func() {
		for _, pid := range ns.marker.PIDs() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		cmd.Wait()
		ns.marker.Gone(t, 10*time.Second)
	})
	return ns
}

// cmd is a command inside the namespace, as its root.
func (ns *clientNS) cmd(name string, args ...string) *exec.Cmd {
	enter := []string{"-t", strconv.Itoa(ns.pid), "-U", "-m", "--preserve-credentials", "--", name}
	cmd := testenv.As(exec.Command("nsenter", append(enter, args...)...))
	cmd.Env = []string{ns.marker.Env()}
	cmd.Dir = "/"
	return cmd
}

// run runs a command inside to its end.
func (ns *clientNS) run(name string, args ...string) result { return finish(ns.cmd(name, args...)) }

func (ns *clientNS) must(name string, args ...string) string {
	ns.t.Helper()
	r := ns.run(name, args...)
	if r.code != 0 {
		ns.t.Fatalf("%s %q: %v\nstdout: %s\nstderr: %s", name, args, r.err, r.stdout, r.stderr)
	}
	return r.stdout
}

func finish(cmd *exec.Cmd) result {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 30 * time.Second
	err := cmd.Run()
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), err}
}

// clientConf is a configuration of the client in a directory that the ordinary user
// owns: key, cache and log lie beside it.
type clientConf struct {
	t    testing.TB
	dir  string
	fqrn string
	vars map[string]string
}

// newClientConf configures the repository fqrn of the server at url.
func newClientConf(t testing.TB, dir, fqrn, url string, key []byte) *clientConf {
	t.Helper()
	c := &clientConf{t: t, dir: dir, fqrn: fqrn, vars: map[string]string{
		"CVMFS_SERVER_URL":        url + "/cvmfs/@fqrn@",
		"CVMFS_HTTP_PROXY":        "DIRECT",
		"CVMFS_PUBLIC_KEY":        filepath.Join(dir, fqrn+".pub"),
		"CVMFS_CACHE_BASE":        filepath.Join(dir, "cache"),
		"CVMFS_USYSLOG":           filepath.Join(dir, "log"),
		"CVMFS_CHECK_PERMISSIONS": "yes",
		"CVMFS_MAX_RETRIES":       "0",
		"CVMFS_TIMEOUT_DIRECT":    "2",
	}}
	writeOwned(t, c.vars["CVMFS_PUBLIC_KEY"], key)
	if err := os.MkdirAll(c.mountPoint(), 0o755); err != nil {
		t.Fatal(err)
	}
	testenv.Own(t, c.mountPoint())
	return c
}

func writeOwned(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	testenv.Own(t, name)
}

func (c *clientConf) mountPoint() string { return filepath.Join(c.dir, "mnt "+c.fqrn) }

// file writes the configuration with changes and returns its name.
func (c *clientConf) file(changes ...string) string {
	c.t.Helper()
	vars := maps.Clone(c.vars)
	for _, kv := range changes {
		k, v, _ := strings.Cut(kv, "=")
		vars[k] = v
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(vars)) {
		fmt.Fprintf(&b, "%s=\"%s\"\n", k, vars[k])
	}
	name := filepath.Join(c.dir, c.fqrn+".conf")
	writeOwned(c.t, name, []byte(b.String()))
	return name
}

// args are the client's arguments for a mount in the background.
func (c *clientConf) args(changes ...string) []string {
	return []string{"-o", "config=" + c.file(changes...), c.fqrn, c.mountPoint()}
}

func (c *clientConf) log() string {
	data, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil && !os.IsNotExist(err) {
		c.t.Fatal(err)
	}
	return string(data)
}

// lines reads a recorded listing.
func lines(t testing.TB, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// compareLines reports the first differences of two listings.
func compareLines(t testing.TB, got, want []string) {
	t.Helper()
	in := func(l []string) map[string]bool {
		m := make(map[string]bool, len(l))
		for _, s := range l {
			m[s] = true
		}
		return m
	}
	g, w := in(got), in(want)
	bad := 0
	report := func(what string, list []string, other map[string]bool) {
		for _, l := range list {
			if !other[l] {
				if bad++; bad <= 10 {
					t.Errorf("%s: %s", what, l)
				}
			}
		}
	}
	report("not expected", got, w)
	report("missing", want, g)
	if bad == 0 && len(got) != len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	if bad > 10 {
		t.Errorf("%d differences", bad)
	}
}

// serveFixture serves one of the recorded repositories.
func serveFixture(t testing.TB, name string) (url string, key []byte, expected string) {
	t.Helper()
	dir, key, expected := testrepo.Fixture(t, name)
	s := testrepo.Serve(t)
	s.Add(name, dir)
	return s.URL, key, expected
}
