package yum

import (
	"fmt"
	"net/url"
	"strings"
)

// CheckHref checks that a location from metadata stays below the base URL: it is
// relative, and neither as written nor with its escapes resolved has it a ".."
// element, a backslash, a query, a fragment or a control character.
func CheckHref(href string) error {
	plain, err := url.PathUnescape(href)
	if err != nil {
		plain = href
	}
	for _, s := range []string{href, plain} {
		switch {
		case s == "" || len(s) > 4096:
			return fmt.Errorf("location %q is empty or too long", clip(s))
		case strings.HasPrefix(s, "/") || strings.ContainsAny(s, "\\?#") || strings.Contains(s, "://"):
			return fmt.Errorf("location %q is not a path below the repository", clip(s))
		case strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) >= 0:
			return fmt.Errorf("location %q holds control characters", clip(s))
		}
		for e := range strings.SplitSeq(s, "/") {
			if e == ".." {
				return fmt.Errorf("location %q leaves the repository", clip(s))
			}
		}
	}
	return nil
}

// Resolve returns the URL of a checked location below a base URL.
func Resolve(base, href string) (string, error) {
	if err := CheckHref(href); err != nil {
		return "", err
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	if plain, err := url.PathUnescape(href); err == nil {
		href = plain
	}
	return u.JoinPath(strings.Split(escape(href), "/")...).String(), nil
}

// escape writes a plain path such that JoinPath does not read escapes in it.
func escape(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}
