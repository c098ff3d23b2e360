package options

import (
	"strings"
)

// ParseSimple reads the text of the configuration file name as literal KEY=VALUE
// lines into p (upstream's SimpleOptionsParser, cvmfs/options.cc). A line is cut
// at its first '#'; one leading readonly, export or eval is dropped; keys with a
// blank inside are not assignments and are ignored; a value between two equal
// quotes loses them. No line is an error, but a NUL byte is: the value could not
// be exported.
func ParseSimple(p *Parameters, name, text string) error {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		key = strings.TrimSpace(key)
		for _, word := range []string{"readonly ", "export ", "eval "} {
			if rest, ok := strings.CutPrefix(key, word); ok {
				key = strings.TrimSpace(rest)
				break
			}
		}
		if key == "" || strings.ContainsAny(key, " \t") {
			continue
		}
		value = unquote(strings.TrimSpace(value))
		if strings.IndexByte(key+value, 0) >= 0 {
			return usagef("%s: NUL byte in the line of %q", name, key)
		}
		p.Set(key, value, name)
	}
	return nil
}

// unquote removes matching quotes as upstream does: only from a text longer than
// two characters, so that two quotes alone stay what they are.
func unquote(s string) string {
	n := len(s)
	if n > 2 && (s[0] == '"' || s[0] == '\'') && s[n-1] == s[0] {
		return s[1 : n-1]
	}
	return s
}
