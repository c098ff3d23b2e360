package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// TestTerminal runs the program on a terminal: bars are drawn while packages are
// fetched, and in the end the screen shows the messages and nothing else.
func TestTerminal(t *testing.T) {
	testenv.Needs(t, testenv.Tool("script", "bsdutils"), testenv.Tool("stty", "coreutils"))
	server := httptest.NewServer(http.FileServer(http.Dir(makeSite(t))))
	defer server.Close()
	dir := t.TempDir()
	cmd := exec.Command("script", "-qec", "stty cols 100 rows 30; cvmfsbundle dist -profile osg -machine rhel9-x86_64 -o dist", "/dev/null")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=xterm", "CVMFSBUNDLE_MIRRORS="+mirrors(server.URL))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := []string{
		"cvmfsbundle: profile osg, machine type rhel9-x86_64, client rpm: reading repositories",
		"cvmfsbundle: fetching 7 packages, 0.0 MB",
		"cvmfsbundle: unpacking 7 packages",
		"cvmfsbundle: wrote dist",
	}
	if diff := cmp.Diff(screen(string(out)), want); diff != "" {
		t.Errorf("%s\n%q", diff, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "dist")); err != nil {
		t.Error(err)
	}
}

// screen returns what a terminal shows after output: lines, of the control sequences
// only those that bars need, cursor up and erase below.
func screen(output string) []string {
	up := regexp.MustCompile(`^\x1b\[(\d+)A`)
	lines, at := []string{""}, 0
	for output != "" {
		if m := up.FindStringSubmatch(output); m != nil {
			n, _ := strconv.Atoi(m[1])
			at, output = max(at-n, 0), output[len(m[0]):]
			continue
		}
		if rest, ok := strings.CutPrefix(output, "\x1b[J"); ok {
			lines, output = append(lines[:at:at], ""), rest
			continue
		}
		switch c := output[0]; c {
		case '\r':
		case '\n':
			if at++; at == len(lines) {
				lines = append(lines, "")
			}
		default:
			lines[at] += string(c)
		}
		output = output[1:]
	}
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
