package shellconf

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// match reports whether the whole of s matches a shell pattern (* ? [...] and \ for
// a literal character). It steps back only to the last *, so it takes at most
// len(pattern)*len(s) steps, which are counted.
func (e *Evaluator) match(pattern, s string) (bool, error) {
	p, i := 0, 0
	star, mark := -1, 0
	for steps := 1; ; steps++ {
		if steps&1023 == 0 {
			if err := e.use(1024); err != nil {
				return false, err
			}
		}
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, i
			p++
			continue
		}
		if p == len(pattern) && i == len(s) {
			return true, e.use(steps & 1023)
		}
		if p < len(pattern) && i < len(s) {
			r, size := utf8.DecodeRuneInString(s[i:])
			if n, ok := matchOne(pattern[p:], r, s[i:i+size]); ok {
				p += n
				i += size
				continue
			}
		}
		if star < 0 || mark >= len(s) {
			return false, e.use(steps & 1023)
		}
		_, size := utf8.DecodeRuneInString(s[mark:])
		mark += size
		p, i = star+1, mark
	}
}

// matchOne matches one character (r, whose bytes are raw) with the beginning of
// pattern and returns how much of pattern that took.
func matchOne(pattern string, r rune, raw string) (n int, ok bool) {
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		if n, ok := matchClass(pattern, r); n > 0 {
			return n, ok
		}
	case '\\':
		if len(pattern) > 1 {
			_, size := utf8.DecodeRuneInString(pattern[1:])
			return 1 + size, pattern[1:1+size] == raw
		}
	}
	_, size := utf8.DecodeRuneInString(pattern)
	return size, pattern[:size] == raw
}

// matchClass matches [...]; n is 0 when pattern begins with no complete one.
func matchClass(pattern string, r rune) (n int, ok bool) {
	i := 1
	negate := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negate {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, ok != negate
		}
		if name, rest, found := strings.Cut(pattern[i:], ":]"); found && strings.HasPrefix(name, "[:") && len(name) < 9 {
			ok = ok || inClass(name[2:], r)
			i = len(pattern) - len(rest)
			continue
		}
		lo, size := classChar(pattern[i:])
		i += size
		hi := lo
		if len(pattern) > i+1 && pattern[i] == '-' && pattern[i+1] != ']' {
			hi, size = classChar(pattern[i+1:])
			i += 1 + size
		}
		ok = ok || lo <= r && r <= hi
	}
	return 0, false
}

// classChar reads one character of a class, perhaps escaped.
func classChar(s string) (rune, int) {
	if s[0] == '\\' && len(s) > 1 {
		r, size := utf8.DecodeRuneInString(s[1:])
		return r, 1 + size
	}
	return utf8.DecodeRuneInString(s)
}

func inClass(name string, r rune) bool {
	switch name {
	case "alpha":
		return unicode.IsLetter(r)
	case "digit":
		return r >= '0' && r <= '9'
	case "alnum":
		return unicode.IsLetter(r) || r >= '0' && r <= '9'
	case "upper":
		return unicode.IsUpper(r)
	case "lower":
		return unicode.IsLower(r)
	case "space":
		return unicode.IsSpace(r)
	case "blank":
		return r == ' ' || r == '\t'
	}
	return false
}
