package exit_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// constants returns the package's constants of a type, by value, from its source.
func constants(t *testing.T, typ string) map[int64]string {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range []string{"exit.go", "cvmfs2.go"} {
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := conf.Check("exit", fset, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int64]string{}
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		if !ok || !types.Identical(c.Type(), pkg.Scope().Lookup(typ).Type()) {
			continue
		}
		n, _ := constant.Int64Val(c.Val())
		if other := out[n]; other != "" {
			t.Errorf("%s and %s have the same number, %d", other, name, n)
		}
		out[n] = name
	}
	return out
}

var row = regexp.MustCompile("(?m)^\\| (\\d+) \\| `([A-Za-z0-9]+)` \\| ")

// documented returns the names by code of the table rows on the page whose name has
// the prefix, or has it not.
func documented(t *testing.T, prefix string, has bool) map[int64]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[int64]string{}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		if strings.HasPrefix(m[2], prefix) != has {
			continue
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if out[n] != "" {
			t.Errorf("the page has code %d twice: %s and %s", n, out[n], m[2])
		}
		out[n] = m[2]
	}
	return out
}

// The published page and the constants are one.
func TestPageIsTheConstants(t *testing.T) {
	for _, typ := range []string{"Code", "Cvmfs2"} {
		t.Run(typ, func(t *testing.T) {
			got := documented(t, "Cvmfs2", typ == "Cvmfs2")
			want := constants(t, typ)
			if len(want) < 10 {
				t.Fatalf("only %d constants found: %v", len(want), slices.Sorted(maps.Keys(want)))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("docs/exit-codes.md differs from the constants (-constants +page):\n%s", d)
			}
		})
	}
}

func TestCodeOf(t *testing.T) {
	plain := errors.New("plain")
	deep := fmt.Errorf("outer: %w", exit.Errorf(exit.Trust, "inner: %w", plain).Hint("do %s", "this"))
	for _, tt := range []struct {
		name string
		err  error
		want exit.Code
	}{
		{"nil", nil, exit.OK},
		{"no code", plain, exit.Unclassified},
		{"wrapped", deep, exit.Trust},
		{"joined", errors.Join(plain, deep), exit.Trust},
		{"wrap keeps the first code", exit.Wrap(exit.Cache, deep), exit.Trust},
		{"wrap gives one", exit.Wrap(exit.Cache, plain), exit.Cache},
		{"wrap nil", exit.Wrap(exit.Cache, nil), exit.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := exit.CodeOf(tt.err); got != tt.want {
				t.Errorf("CodeOf(%v) = %d, want %d", tt.err, got, tt.want)
			}
		})
	}
	if got, want := exit.HintsOf(deep), []string{"do this"}; !slices.Equal(got, want) {
		t.Errorf("hints %q, want %q", got, want)
	}
	if got, want := deep.Error(), "outer: inner: plain"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if !errors.Is(deep, plain) {
		t.Error("the cause is not wrapped")
	}
}
