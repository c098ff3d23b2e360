package cmdline

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want *Line
		err  string
	}{
		{"repos and command", []string{"a.b", "c.d", "a.b", "--", "ls", "-l", "--", "x"}, &Line{Repos: []string{"a.b", "c.d"}, Command: []string{"ls", "-l", "--", "x"}}, ""},
		{"no command", []string{"--"}, &Line{Command: []string{}}, ""},
		{"bundle", []string{"-Nm", "img", "a.b", "--"}, &Line{NoNested: true, Image: "img", Repos: []string{"a.b"}, Command: []string{}}, ""},
		{"bundle with value", []string{"-Nmimg", "--"}, &Line{NoNested: true, Image: "img", Command: []string{}}, ""},
		{"version", []string{"-vN"}, &Line{Version: true, NoNested: true}, ""},
		{"long", []string{"--mode", "3", "--set", "A=b=c", "--set=D=", "--status-file=f", "--", "x"}, &Line{Mode: 3, Set: []string{"A=b=c", "D="}, StatusFile: "f", Command: []string{"x"}}, ""},
		{"showconfig", []string{"--showconfig", "a.b"}, &Line{ShowConfig: "a.b"}, ""},
		{"blanks", []string{"a.b", "--", "a b", ""}, &Line{Repos: []string{"a.b"}, Command: []string{"a b", ""}}, ""},
		{"no dashes", []string{"a.b", "ls"}, nil, "-- is missing: it stands between the repository names and the command"},
		{"nothing", nil, nil, "-- is missing: it stands between the repository names and the command"},
		{"late option", []string{"a.b", "-N", "--"}, nil, `option "-N" must stand before the repository names`},
		{"unknown", []string{"-x", "--"}, nil, "unknown option -x"},
		{"unknown long", []string{"--nope", "--"}, nil, "unknown option --nope"},
		{"no image", []string{"-m"}, nil, "option -m needs an image file"},
		{"bad mode", []string{"--mode", "5", "--"}, nil, `--mode "5" is not auto, 1, 2, 3 or 4`},
		{"bad set", []string{"--set", "A", "--"}, nil, `--set "A" is not KEY=VALUE`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.args)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err || !errors.Is(err, ErrUsage) {
					t.Fatalf("error = %v; want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("Parse (-want +got):\n%s", d)
			}
		})
	}
}

// Any words are a line or a usage error, and what comes after -- is the command as it
// stands.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a.b\x00--\x00ls", "-vN", "-Nm\x00x\x00--", "--set\x00A=b\x00--", "--set=\x00--", "--mode=auto\x00--", "-\x00--", "--\x00--\x00-x", "-m\xff", "--debug=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		args := strings.Split(s, "\x00")
		l, err := Parse(args)
		if err != nil {
			if !errors.Is(err, ErrUsage) || l != nil {
				t.Errorf("%q: %v, %v", args, l, err)
			}
			return
		}
		if n := len(l.Command); n > 0 && !cmp.Equal(l.Command, args[len(args)-n:]) {
			t.Errorf("%q: command %q", args, l.Command)
		}
		seen := map[string]bool{}
		for _, r := range l.Repos {
			if seen[r] || strings.HasPrefix(r, "-") {
				t.Errorf("%q: repositories %q", args, l.Repos)
			}
			seen[r] = true
		}
	})
}
