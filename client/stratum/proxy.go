package stratum

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"
)

// direct is how a description of proxies spells "no proxy".
const direct = "DIRECT"

// proxy is a member of a group; url is nil for DIRECT.
type proxy struct{ url *url.URL }

func (p *proxy) String() string { return redact(p.url) }

// proxySet is the groups of proxies and which one is in use. Its owner locks it.
type proxySet struct {
	groups   [][]*proxy
	fallback int // index of the first fallback group
	group    int
	active   *proxy
	burned   map[*proxy]bool
	left     time.Time // when the first group was left
	burnedAt time.Time // when the first member of the group was burned
	pick     func(n int) int
}

// parseProxies reads the description of the proxies. An element that is malformed
// is an error, never silently no proxy.
func parseProxies(o Options, pick func(int) int) (*proxySet, error) {
	description, err := resolveAuto(o)
	if err != nil {
		return nil, err
	}
	regular, err := parseGroups(description)
	if err != nil {
		return nil, err
	}
	fallback, err := parseGroups(o.FallbackProxies)
	if err != nil {
		return nil, err
	}
	fallback = dropDirect(fallback)
	if len(fallback) > 0 {
		regular = dropDirect(regular)
	}
	s := &proxySet{groups: append(regular, fallback...), fallback: len(regular), pick: pick}
	if len(s.groups) == 0 {
		return nil, ErrNoProxy
	}
	s.enter(0)
	return s, nil
}

// resolveAuto replaces the groups "auto". One that cannot be found is left out, with
// a line in the log, unless nothing else remains.
func resolveAuto(o Options) (string, error) {
	var groups []string
	var failed error
	for g := range strings.SplitSeq(o.Proxies, ";") {
		if strings.TrimSpace(g) != "auto" {
			groups = append(groups, g)
			continue
		}
		found, err := "", ErrAutoProxy
		if o.AutoProxy != nil {
			found, err = o.AutoProxy()
		}
		if err != nil {
			failed = err
			if o.Log != nil {
				o.Log.Warn("proxy group left out", "group", "auto", "error", err)
			}
			continue
		}
		groups = append(groups, found)
	}
	description := strings.Join(groups, ";")
	if failed != nil && strings.Trim(description, "; |\t") == "" {
		return "", fmt.Errorf("%w: %w", ErrNoProxy, failed)
	}
	return description, nil
}

func parseGroups(description string) ([][]*proxy, error) {
	var groups [][]*proxy
	for g := range strings.SplitSeq(description, ";") {
		var members []*proxy
		for m := range strings.SplitSeq(g, "|") {
			if m = strings.TrimSpace(m); m == "" {
				continue
			}
			p, err := parseProxy(m)
			if err != nil {
				return nil, err
			}
			members = append(members, p)
		}
		if len(members) > 0 {
			groups = append(groups, members)
		}
	}
	return groups, nil
}

func parseProxy(text string) (*proxy, error) {
	if text == direct {
		return new(proxy), nil
	}
	full := text
	if !strings.Contains(text, "://") {
		full = "http://" + text
	}
	u, err := url.Parse(full)
	if err != nil {
		err = errors.New("it is malformed")
	} else if u.Scheme != "http" && u.Scheme != "https" {
		err = errors.New("its scheme is not http or https")
	} else if u.Hostname() == "" {
		err = errors.New("it names no host")
	}
	if err != nil {
		return nil, fmt.Errorf("proxy %q: %w", redactText(text), err)
	}
	return &proxy{url: &url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}}, nil
}

func dropDirect(groups [][]*proxy) [][]*proxy {
	var out [][]*proxy
	for _, g := range groups {
		if g = slices.DeleteFunc(g, func(p *proxy) bool { return p.url == nil }); len(g) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// count returns how many proxies there are in all groups.
func (s *proxySet) count() (n int) {
	for _, g := range s.groups {
		n += len(g)
	}
	return n
}

// enter makes group i the active one, with no member burned.
func (s *proxySet) enter(i int) {
	s.group, s.burned, s.burnedAt = i, make(map[*proxy]bool), time.Time{}
	if i == 0 {
		s.left = time.Time{}
	}
	s.choose()
}

// choose makes a random member of the group active that is not burned.
func (s *proxySet) choose() {
	var free []*proxy
	for _, p := range s.groups[s.group] {
		if !s.burned[p] {
			free = append(free, p)
		}
	}
	s.active = free[s.pick(len(free))]
}

// burn takes p out of use and goes to another member, or to the next group; after
// the last comes the first. It does nothing when p is not the active one any more.
func (s *proxySet) burn(p *proxy, now time.Time) {
	if p != s.active {
		return
	}
	if s.burnedAt.IsZero() {
		s.burnedAt = now
	}
	s.burned[p] = true
	if len(s.burned) < len(s.groups[s.group]) {
		s.choose()
		return
	}
	if s.group == 0 {
		s.left = now
	}
	s.enter((s.group + 1) % len(s.groups))
}

// reset goes back to the first group, or to the burned members, when that is due.
func (s *proxySet) reset(after time.Duration, now time.Time) (log slog.Attr, changed bool) {
	switch {
	case after <= 0:
	case s.group != 0 && !s.left.IsZero() && now.Sub(s.left) >= after:
		s.enter(0)
		return slog.String("proxy", s.active.String()), true
	case !s.burnedAt.IsZero() && now.Sub(s.burnedAt) >= after:
		s.enter(s.group)
		return slog.String("proxy", s.active.String()), true
	}
	return slog.Attr{}, false
}
