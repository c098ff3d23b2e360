package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/shellconf"
)

// parseSimple does what upstream's client does with -o simple_options_parsing
// (cvmfs/options.cc, SimpleOptionsParser::TryParsePath and what it calls).
func parseSimple(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.Trim(line, " \t")
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		key = strings.Trim(key, " \t")
		for _, word := range []string{"readonly ", "export ", "eval "} {
			if rest, ok := strings.CutPrefix(key, word); ok {
				key = strings.Trim(rest, " \t")
				break
			}
		}
		if key == "" || strings.Contains(key, " ") {
			continue
		}
		value = strings.Trim(value, " \t")
		if n := len(value); n > 2 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'') {
			value = value[1 : n-1]
		}
		m[key] = value
	}
	return m
}

func checkRoundTrip(t *testing.T, c *Config) {
	t.Helper()
	text, err := c.Format()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, v := range c.Vars {
		want[v.Name] = v.Value
	}
	if diff := cmp.Diff(want, parseSimple(string(text))); diff != "" {
		t.Errorf("after the client has parsed it (-want +got):\n%s", diff)
	}
}

func one(value string) *Config {
	return &Config{Vars: []shellconf.Variable{{Name: "CVMFS_X", Value: value, File: "/d/etc/cvmfs/default.local", Line: 3}}}
}

func TestFormat(t *testing.T) {
	tests := []struct{ name, value, want string }{
		{"plain", "yes", "CVMFS_X=yes\n"},
		{"empty", "", "CVMFS_X=\n"},
		{"blank inside", "a b", "CVMFS_X=a b\n"},
		{"blank around", " a ", "CVMFS_X=\" a \"\n"},
		{"only a blank", " ", "CVMFS_X=\" \"\n"},
		{"equals", "a=b=c", "CVMFS_X=a=b=c\n"},
		{"one quote", `"`, "CVMFS_X=\"\n"},
		{"two quotes", `""`, "CVMFS_X=\"\"\n"},
		{"quoted", `"a"`, "CVMFS_X=\"\"a\"\"\n"},
		{"both quotes", `it's "x"`, "CVMFS_X=it's \"x\"\n"},
		{"quotes at the ends", `'a' or 'b'`, "CVMFS_X=\"'a' or 'b'\"\n"},
		{"dollar", "$(id)`id`$X", "CVMFS_X=$(id)`id`$X\n"},
		{"backslash", `a\b\`, "CVMFS_X=a\\b\\\n"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := one(tc.value).Format()
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			checkRoundTrip(t, one(tc.value))
		})
	}
}

func TestFormatRefuses(t *testing.T) {
	for _, value := range []string{"a\nb", "\n", "a#b", "#", "a\rb", "a\x00b", "\x7f"} {
		_, err := one(value).Format()
		var ve *valueError
		if !errors.As(err, &ve) || exit.CodeOf(err) != exit.Config {
			t.Errorf("%q: got %v", value, err)
			continue
		}
		if want := "/d/etc/cvmfs/default.local:3: CVMFS_X: "; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %q does not begin with %q", value, err, want)
		}
	}
}

func TestShow(t *testing.T) {
	c := one("it's")
	c.Vars = append(c.Vars, shellconf.Variable{Name: "CVMFS_A", Value: "/a:b", File: "--set"})
	var out strings.Builder
	if err := c.Show(&out); err != nil {
		t.Fatal(err)
	}
	want := "CVMFS_A=/a:b    # from --set\nCVMFS_X='it'\\''s'    # from /d/etc/cvmfs/default.local:3\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

// FuzzFormat: a value comes back from the client's parser as it was, or is refused.
func FuzzFormat(f *testing.F) {
	for _, s := range []string{"", "a", " a", `"a"`, "'", `''`, "a#", "a\nb", "=", "\ta", `"a'`, "a\vb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		text, err := one(value).Format()
		if err != nil {
			return
		}
		if got := parseSimple(string(text)); len(got) != 1 || got["CVMFS_X"] != value {
			t.Errorf("%q became %q by way of %q", value, got, text)
		}
	})
}
