package sqlite

import "strings"

// token is a word, a quoted name, or a single other byte of an SQL text.
type token struct {
	text   string
	quoted bool
}

// is reports whether the token is this keyword or punctuation.
func (t token) is(word string) bool { return !t.quoted && strings.EqualFold(t.text, word) }

// tokens splits an SQL text; false when a quote or comment does not end.
func tokens(sql string) ([]token, bool) {
	var out []token
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c <= ' ':
			i++
		case strings.HasPrefix(sql[i:], "--"):
			n := strings.IndexByte(sql[i:], '\n')
			if n < 0 {
				return out, true
			}
			i += n
		case strings.HasPrefix(sql[i:], "/*"):
			n := strings.Index(sql[i+2:], "*/")
			if n < 0 {
				return nil, false
			}
			i += n + 4
		case c == '"' || c == '`' || c == '\'' || c == '[':
			t, n := quoted(sql[i:])
			if n == 0 {
				return nil, false
			}
			out = append(out, token{t, true})
			i += n
		case word(c):
			n := i
			for n < len(sql) && word(sql[n]) {
				n++
			}
			out = append(out, token{sql[i:n], false})
			i = n
		default:
			out = append(out, token{sql[i : i+1], false})
			i++
		}
	}
	return out, true
}

func word(c byte) bool {
	return c == '_' || c == '$' || c == '.' || c >= 0x80 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// quoted returns the name or text in quotes at the start of s and the length of its
// quoted form, 0 when it does not end. A doubled quote stands for one.
func quoted(s string) (string, int) {
	end := s[0]
	if end == '[' {
		end = ']'
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != end {
			b.WriteByte(s[i])
			continue
		}
		if end == ']' || i+1 == len(s) || s[i+1] != end {
			return b.String(), i + 1
		}
		b.WriteByte(end)
		i++
	}
	return "", 0
}

// list takes a parenthesised list from the start of ts and returns its elements, split
// at the commas of the first level, and what follows it.
func list(ts []token) (elements [][]token, rest []token, ok bool) {
	if len(ts) == 0 || !ts[0].is("(") {
		return nil, nil, false
	}
	depth, start := 0, 1
	for i, t := range ts {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			if depth--; depth == 0 {
				return append(elements, ts[start:i]), ts[i+1:], true
			}
		case t.is(",") && depth == 1:
			elements = append(elements, ts[start:i])
			start = i + 1
		}
	}
	return nil, nil, false
}

// names returns the names in the list at the start of ts, nil when there is anything
// but names in it.
func names(ts []token) []string {
	elements, _, ok := list(ts)
	if !ok {
		return nil
	}
	var out []string
	for _, e := range elements {
		if len(e) == 2 && e[1].is("ASC") {
			e = e[:1]
		}
		if len(e) != 1 {
			return nil
		}
		out = append(out, e[0].text)
	}
	return out
}

// index returns where a sequence of keywords starts in ts, -1 when nowhere.
func index(ts []token, words ...string) int {
next:
	for i := 0; i+len(words) <= len(ts); i++ {
		for j, w := range words {
			if !ts[i+j].is(w) {
				continue next
			}
		}
		return i
	}
	return -1
}
