package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/clientproc"
)

var clientRow = regexp.MustCompile("(?m)^\\| (\\d+) \\| `Cvmfs2[A-Za-z]+` \\| .* \\| (\\d+)( or (\\d+))? \\|$")

// How cvmfsexec passes on the end of a client is what docs/exit-codes.md says.
func TestPageOfClientCodes(t *testing.T) {
	page := readDoc(t, "docs/exit-codes.md")
	rows := clientRow.FindAllStringSubmatch(page, -1)
	if len(rows) < 10 {
		t.Fatalf("%d rows found", len(rows))
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, r := range rows {
		status, want := number(r[1]), exit.Code(number(r[2]))
		if r[4] == "" {
			if got := clientproc.Code(status, "some sentence"); got != want {
				t.Errorf("a client's %d becomes %d, the page says %d", status, got, want)
			}
			continue
		}
		if got := clientproc.Code(status, "Failed to initialize root file catalog: damaged: x"); got != want {
			t.Errorf("a client's %d with damage becomes %d, the page says %d", status, got, want)
		}
		if got, want := clientproc.Code(status, "Failed to initialize root file catalog: unreachable: x"), exit.Code(number(r[4])); got != want {
			t.Errorf("a client's %d without a server becomes %d, the page says %d", status, got, want)
		}
	}
}

// Every module that go.mod requires for its own sake has its line in docs/design.md.
func TestPageOfDependencies(t *testing.T) {
	page := readDoc(t, "docs/design.md")
	modules := map[string]bool{}
	eachSource(t, func(rel string) {
		for _, path := range imports(t, rel) {
			for line := range strings.Lines(readDoc(t, "go.mod")) {
				name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
				if strings.Contains(name, ".") && within(path, name) {
					modules[name] = true
				}
			}
		}
	})
	if len(modules) < 10 {
		t.Fatalf("only %d modules found: %v", len(modules), modules)
	}
	for m := range modules {
		if !strings.Contains(page, "| `"+m+"` |") {
			t.Errorf("docs/design.md has no line for the module %s", m)
		}
	}
}

// Links between the documents lead to files.
func TestDocumentLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)\)`)
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "docs/design.md", "docs/exit-codes.md", "docs/modes.md", "docs/format.md", "docs/security.md"} {
		for _, m := range link.FindAllStringSubmatch(readDoc(t, doc), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(testenv.Root(), filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", doc, m[1], err)
			}
		}
	}
}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testenv.Root(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
