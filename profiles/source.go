package profiles

import (
	"fmt"
	"strings"
)

// source is the text of a file and finds the line of a key in it. The TOML library
// tells positions of syntax errors only.
type source struct {
	name  string
	lines []string
}

func newSource(name, text string) *source {
	return &source{name: name, lines: strings.Split(text, "\n")}
}

// errorf makes an error at the line of a key. The key is a path; needle, when not
// empty, is text to look for from there on, such as a list element's name.
func (s *source) errorf(key []string, needle, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", s.name, s.find(key, needle), fmt.Sprintf(format, args...))
}

// find returns the line number of a key; of the part of it that is found, when the
// rest is inside an inline table.
func (s *source) find(key []string, needle string) int {
	best, depth := 1, 0
	s.walk(func(line int, path []string) {
		n := common(path, key)
		if n == len(path) && n > depth {
			best, depth = line, n
		}
	})
	has := func(line string) bool { return strings.Contains(line, needle) }
	if needle == "" {
		if depth == len(key) {
			return best
		}
		needle = key[len(key)-1]
		has = func(line string) bool { return assigns(line, needle) }
	}
	for i := best - 1; i < len(s.lines) && (i == best-1 || !strings.HasPrefix(s.lines[i], "[")); i++ {
		if has(s.lines[i]) {
			return i + 1
		}
	}
	return best
}

// walk calls f for each table header and each key that begins a line.
func (s *source) walk(f func(line int, path []string)) {
	var table []string
	multi := "" // the quotes that end a multi-line string
	for i, line := range s.lines {
		if multi != "" {
			if strings.Contains(line, multi) {
				multi = ""
			}
			continue
		}
		text := strings.TrimSpace(line)
		if strings.HasPrefix(text, "[") && !strings.HasPrefix(line, " ") {
			head, _, _ := strings.Cut(strings.TrimLeft(text, "["), "]")
			table = splitKey(head)
			f(i+1, table)
			continue
		}
		key, value, ok := strings.Cut(text, "=")
		if !ok || strings.ContainsAny(key, `#{}[],`) {
			continue
		}
		f(i+1, append(table[:len(table):len(table)], splitKey(key)...))
		for _, q := range []string{`"""`, `'''`} {
			if strings.Count(value, q) == 1 {
				multi = q
			}
		}
	}
}

// assigns reports whether a line has "key =" somewhere, as inline tables do.
func assigns(line, key string) bool {
	for field := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune("{},", r) }) {
		name, _, ok := strings.Cut(field, "=")
		if ok && strings.Trim(strings.TrimSpace(name), `"'`) == key {
			return true
		}
	}
	return false
}

func splitKey(s string) []string {
	parts := strings.Split(s, ".")
	for i, p := range parts {
		parts[i] = strings.Trim(strings.TrimSpace(p), `"'`)
	}
	return parts
}

func common(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
