package stratum

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// escape writes every byte that is not plain in the CVMFS client's eyes
// (network/download.cc EscapeUrl) as %XX.
func escape(text string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', strings.IndexByte("/:.@+-_~[],", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// parseHost checks one URL of the host chain and returns it without the slash at
// its end.
func parseHost(text, fqrn string) (*url.URL, error) {
	org, _, _ := strings.Cut(fqrn, ".")
	text = strings.NewReplacer("@fqrn@", fqrn, "@org@", org).Replace(strings.TrimSpace(text))
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil {
		return nil, fmt.Errorf("server URL %q is malformed", redactText(text))
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return nil, fmt.Errorf("server URL %q names no host", redactText(text))
		}
	case "file":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return nil, fmt.Errorf("server URL %q: want file:///PATH", redactText(text))
		}
	default:
		return nil, fmt.Errorf("server URL %q: scheme is not http, https or file", redactText(text))
	}
	return u, nil
}

// join returns the URL of the file path of a host.
func join(host *url.URL, path string) (*url.URL, error) {
	u := *host
	u.RawQuery, u.Fragment = "", ""
	full := host.EscapedPath() + "/" + escape(strings.TrimPrefix(path, "/"))
	decoded, err := url.PathUnescape(full)
	if err != nil {
		return nil, errors.New("malformed path")
	}
	u.Path, u.RawPath = decoded, full
	return &u, nil
}

// redact returns a URL without user and password.
func redact(u *url.URL) string {
	if u == nil {
		return direct
	}
	c := *u
	if c.User != nil {
		c.User = url.User("redacted")
	}
	return c.String()
}

// redactText takes user and password out of what may be no URL at all.
func redactText(text string) string {
	scheme, rest := "", text
	if i := strings.Index(text, "://"); i >= 0 {
		scheme, rest = text[:i+3], text[i+3:]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		return scheme + "redacted@" + rest[i+1:]
	}
	return text
}
