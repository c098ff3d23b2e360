package catalog

import "strings"

// ExpandSymlink replaces $(NAME) and $(NAME:-default) in the raw target of a symbolic
// link by the value of the variable. An unset variable, for which env returns false,
// gives the default or nothing; an empty one is taken as it is. The first closing
// parenthesis ends a variable, and without one the text is taken literally (CVMFS,
// catalog_sql.cc).
func ExpandSymlink(raw string, env func(name string) (string, bool)) string {
	start := strings.Index(raw, "$(")
	if start < 0 {
		return raw
	}
	var b strings.Builder
	for ; start >= 0; start = strings.Index(raw, "$(") {
		length := strings.IndexByte(raw[start:], ')')
		if length < 0 {
			break
		}
		b.WriteString(raw[:start])
		name, fallback, _ := strings.Cut(raw[start+2:start+length], ":-")
		if value, ok := env(name); ok {
			b.WriteString(value)
		} else {
			b.WriteString(fallback)
		}
		raw = raw[start+length+1:]
	}
	b.WriteString(raw)
	return b.String()
}
