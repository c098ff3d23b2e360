// Command testrun runs go test and prints what a person or a CI log needs of it:
// a line for each package, the whole output of a failed test, every skip with its
// reason, and at the end one line that counts.
//
//	testrun [go test flags and packages]
//
// It ends with go test's own status.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
	"time"
)

// event is one line of go test -json (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64
	Output  string
}

type key struct{ pkg, test string }

type tally struct {
	passed, failed, skipped int
	output                  map[key][]string
	skips                   []string
	failures                []string
}

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(1)
	}
	t := &tally{output: map[key][]string{}}
	in := bufio.NewScanner(pipe)
	in.Buffer(nil, 1<<24)
	for in.Scan() {
		t.line(in.Bytes())
	}
	err = cmd.Wait()
	t.summary()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) && ee.ExitCode() > 0 {
			os.Exit(ee.ExitCode())
		}
		os.Exit(1)
	}
	if t.failed > 0 {
		os.Exit(1)
	}
}

func (t *tally) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		fmt.Println(string(line)) // not test output: a build failure
		return
	}
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output":
		t.output[k] = append(t.output[k], e.Output)
		return
	case "build-output":
		fmt.Print(e.Output)
		return
	case "pass", "skip", "fail":
	default:
		return
	}
	if e.Test == "" {
		t.pkg(e)
		return
	}
	switch e.Action {
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
		t.skips = append(t.skips, fmt.Sprintf("%s %s: %s", short(e.Package), e.Test, reason(t.output[k])))
	case "fail":
		t.failed++
		t.failures = append(t.failures, short(e.Package)+" "+e.Test)
		fmt.Print(strings.Join(t.output[k], ""))
	}
	delete(t.output, k)
}

func (t *tally) pkg(e event) {
	took := time.Duration(e.Elapsed * float64(time.Second)).Round(100 * time.Millisecond)
	out := t.output[key{e.Package, ""}]
	switch e.Action {
	case "pass":
		fmt.Printf("ok    %-40s %s\n", short(e.Package), took)
		for _, l := range out {
			if strings.Contains(l, "soak:") {
				fmt.Print(l)
			}
		}
	case "fail":
		fmt.Printf("FAIL  %-40s %s\n%s", short(e.Package), took, strings.Join(out, ""))
		for k, lines := range t.output { // tests that were running when it died
			if k.pkg == e.Package && k.test != "" {
				fmt.Print(strings.Join(lines, ""))
			}
		}
		if !t.has(e.Package) {
			t.failed++
			t.failures = append(t.failures, short(e.Package))
		}
	}
}

func (t *tally) has(pkg string) bool {
	for _, f := range t.failures {
		if strings.HasPrefix(f, short(pkg)+" ") {
			return true
		}
	}
	return false
}

func (t *tally) summary() {
	sort.Strings(t.skips)
	for _, s := range t.skips {
		fmt.Println("skip ", s)
	}
	for _, f := range t.failures {
		fmt.Println("fail ", f)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
}

// reason is what a skipped test said, without the framework's own lines.
func reason(out []string) string {
	var words []string
	for _, l := range out {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "=== ") || strings.HasPrefix(l, "--- ") {
			continue
		}
		if _, rest, ok := strings.Cut(l, ".go:"); ok {
			if _, text, ok := strings.Cut(rest, ": "); ok {
				l = text
			}
		}
		words = append(words, l)
	}
	return strings.Join(words, " ")
}

func short(pkg string) string {
	return strings.TrimPrefix(strings.TrimPrefix(pkg, "github.com/cvmfsbundle/cvmfsbundle"), "/")
}
