package profiles

import (
	"fmt"
	"net/url"
	"strings"
)

// MirrorsVar is the environment variable that holds mirrors, FROM=TO, separated by
// blanks or line breaks.
const MirrorsVar = "CVMFSBUNDLE_MIRRORS"

// A Mirror replaces the beginning From of base URLs by To.
type Mirror struct{ From, To string }

// ParseMirror reads FROM=TO. Both are http(s) URLs; FROM holds no "=".
func ParseMirror(s string) (Mirror, error) {
	from, to, ok := strings.Cut(s, "=")
	if !ok {
		return Mirror{}, fmt.Errorf("mirror %q: write FROM=TO", s)
	}
	m := Mirror{strings.TrimRight(from, "/"), strings.TrimRight(to, "/")}
	for _, raw := range []string{m.From, m.To} {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return Mirror{}, fmt.Errorf("mirror %q: %q is not a base URL: give http(s)://HOST/PATH", s, raw)
		}
	}
	return m, nil
}

// ParseMirrors reads the value of [MirrorsVar].
func ParseMirrors(s string) ([]Mirror, error) {
	var out []Mirror
	for _, f := range strings.Fields(s) {
		m, err := ParseMirror(f)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// Applies reports whether base is m.From or lies below it.
func (m Mirror) Applies(base string) bool {
	rest, ok := strings.CutPrefix(base, m.From)
	return ok && (rest == "" || rest[0] == '/')
}

// Mirrored replaces the beginnings of base URLs. The longest From that applies
// wins, the first of equal ones. When the preferred URL is replaced the others are
// dropped: somebody who names a mirror wants that and nothing else to be asked.
func Mirrored(bases []string, mirrors []Mirror) []string {
	var out []string
	for i, base := range bases {
		best := Mirror{}
		for _, m := range mirrors {
			if m.Applies(base) && len(m.From) > len(best.From) {
				best = m
			}
		}
		if best.From != "" {
			replaced := best.To + base[len(best.From):]
			if i == 0 {
				return []string{replaced}
			}
			base = replaced
		}
		out = append(out, base)
	}
	return out
}
