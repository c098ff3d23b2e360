package config

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/shellconf"
)

// A Config is the configuration of one repository, with all values final: paths
// relocated, templates substituted.
type Config struct {
	FQRN     string
	Vars     []shellconf.Variable // in the order of their first assignment
	Warnings []shellconf.Warning
}

// shellNames are variables by which files steer their own evaluation; no client
// knows them.
var shellNames = []string{"IFS", "OPTIND", "OLDPWD", "PPID", "PS1", "PS2", "PS4", "PWD", "RANDOM"}

// result makes the Config of what has been evaluated.
func (b *builder) result() (*Config, error) {
	res := b.eval.Result()
	c := &Config{FQRN: b.fqrn, Warnings: res.Warnings}
	r := newRelocator(b)
	for _, v := range res.Vars {
		if slices.Contains(shellNames, v.Name) {
			continue
		}
		v.Value = substitute(v.Value, b.fqrn)
		// oasis' symlinks lead to this variable's value: it is a path for users.
		users := v.Name == "OASIS_CERTIFICATES" && b.fqrn == "oasis.opensciencegrid.org"
		if v.File != setOrigin && !users {
			v.Value = r.value(v.Value)
		}
		c.Vars = append(c.Vars, v)
	}
	return c, nil
}

// Get returns the value of a variable, "" when no file sets it.
func (c *Config) Get(key string) string {
	for _, v := range c.Vars {
		if v.Name == key {
			return v.Value
		}
	}
	return ""
}

// Format returns the configuration as literal KEY=VALUE lines for a client that is
// started with -o config=FILE,simple_options_parsing. That parser (cvmfs/options.cc,
// SimpleOptionsParser) cuts a line at the first #, trims key and value, and removes one
// pair of equal quotes around a value of more than two bytes. So a value is quoted only
// where it would lose something, and one with a # or a control character, which cannot
// be written, is an error that names key and file.
func (c *Config) Format() ([]byte, error) {
	var out bytes.Buffer
	for _, v := range c.Vars {
		text, err := formatValue(v.Value)
		if err != nil {
			return nil, exit.Errorf(exit.Config, "%s: %s: %w", place(v), v.Name, err)
		}
		fmt.Fprintf(&out, "%s=%s\n", v.Name, text)
	}
	return out.Bytes(), nil
}

// place is where a variable was set last.
func place(v shellconf.Variable) string {
	if v.Line == 0 {
		return v.File
	}
	return fmt.Sprintf("%s:%d", v.File, v.Line)
}

// A valueError is a value that the client's configuration file cannot carry.
type valueError struct{ what string }

func (e *valueError) Error() string {
	return "the client's configuration file cannot carry a value with " + e.what
}

func formatValue(v string) (string, error) {
	for i := range len(v) {
		switch c := v[i]; {
		case c == '#':
			return "", &valueError{"a #"}
		case c == '\n':
			return "", &valueError{"a line break"}
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", &valueError{"a control character"}
		}
	}
	if v == "" {
		return "", nil
	}
	first, last := v[0], v[len(v)-1]
	quotes := len(v) > 2 && first == last && (first == '"' || first == '\'')
	if quotes || strings.Trim(v, " \t") != v {
		return `"` + v + `"`, nil
	}
	return v, nil
}

// Show prints each value and the place that set it, sorted, in the form of
// upstream's cvmfs_config showconfig.
func (c *Config) Show(w io.Writer) error {
	vars := slices.Clone(c.Vars)
	slices.SortFunc(vars, func(a, b shellconf.Variable) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range vars {
		if _, err := fmt.Fprintf(w, "%s=%s    # from %s\n", v.Name, shellQuote(v.Value), place(v)); err != nil {
			return err
		}
	}
	return nil
}

// shellQuote quotes a value for a shell when it needs it.
func shellQuote(s string) string {
	plain := func(c rune) bool {
		return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("/:._-,", c)
	}
	if strings.IndexFunc(s, func(c rune) bool { return !plain(c) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
