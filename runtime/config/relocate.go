package config

import (
	"path/filepath"
	"strings"
)

// A relocator moves the paths in a value to where they are.
//
// A path begins with a slash at the start of the value or after one of : ; , | =
// blank or quote, so every path of a colon list is one. /etc, /var and /cvmfs move when
// they are the whole path or are followed by a slash or one of those characters. What
// begins with a scheme (http://...) is a URL up to the next ; | blank or quote and
// stays as it is, and so do paths below a directory that the caller has named.
type relocator struct {
	moves []move
	stay  []string
}

type move struct{ from, to string }

const pathEnds = ":;,|= \t\"'"

func newRelocator(b *builder) *relocator {
	r := &relocator{moves: []move{
		{"/etc", filepath.Join(b.opts.Dist, "etc")},
		{"/var", filepath.Join(b.opts.Dist, "var")},
		{mountDir, b.opts.MountDir},
	}}
	stay := []string{b.opts.Dist, b.opts.LogDir, b.opts.CacheBase, b.opts.RunDir}
	if b.opts.MountDir != mountDir {
		stay = append(stay, b.opts.MountDir)
	}
	for _, v := range b.set {
		stay = append(stay, v)
	}
	for _, p := range stay {
		// A top directory alone would make everything stay.
		if filepath.IsAbs(p) && strings.Count(filepath.Clean(p), "/") > 1 {
			r.stay = append(r.stay, filepath.Clean(p))
		}
	}
	return r
}

// value returns v with its paths relocated.
func (r *relocator) value(v string) string {
	var out strings.Builder
	start := true
	for i := 0; i < len(v); {
		if start {
			if n := urlLen(v[i:]); n > 0 {
				out.WriteString(v[i : i+n])
				i, start = i+n, false
				continue
			}
			if text, n := r.path(v[i:]); n > 0 {
				out.WriteString(text)
				i, start = i+n, false
				continue
			}
		}
		out.WriteByte(v[i])
		start = strings.IndexByte(pathEnds, v[i]) >= 0
		i++
	}
	return out.String()
}

// path returns what replaces the first n bytes of s, a path or something else; n is
// 0 when s does not begin with a path that is known.
func (r *relocator) path(s string) (text string, n int) {
	for _, p := range r.stay {
		if hasPath(s, p) {
			return p, len(p)
		}
	}
	for _, m := range r.moves {
		if hasPath(s, m.from) {
			return m.to, len(m.from)
		}
	}
	return "", 0
}

// hasPath reports whether s begins with the path p or with something below it.
func hasPath(s, p string) bool {
	rest, ok := strings.CutPrefix(s, p)
	return ok && (rest == "" || rest[0] == '/' || strings.IndexByte(pathEnds, rest[0]) >= 0)
}

// urlLen returns the length of the URL that s begins with, or 0.
func urlLen(s string) int {
	scheme, _, ok := strings.Cut(s, "://")
	if !ok || scheme == "" {
		return 0
	}
	for i := range len(scheme) {
		c := scheme[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return 0
		}
	}
	if end := strings.IndexAny(s, ";| \t\"'"); end >= 0 {
		return end
	}
	return len(s)
}

// substitute replaces @fqrn@ and @org@ as upstream does (cvmfs/options.cc,
// OptionsTemplateManager::ParseString): the text between one @ and the next is a
// name, and an unknown one stays with both.
func substitute(v, fqrn string) string {
	org, _, _ := strings.Cut(fqrn, ".")
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(v, "@")
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		name, after, ok := strings.Cut(rest, "@")
		if !ok {
			out.WriteString("@" + rest)
			return out.String()
		}
		switch name {
		case "fqrn":
			out.WriteString(fqrn)
		case "org":
			out.WriteString(org)
		default:
			out.WriteString("@" + name + "@")
		}
		v = after
	}
}
