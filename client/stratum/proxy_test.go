package stratum

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestProxies(t *testing.T) {
	s := newServer(t, says("hello"))
	a, b := forwarder(t), forwarder(t)
	used := func(p *server) int { return len(p.requests()) }
	get := func(t *testing.T, o Options) (*Client, error) {
		t.Helper()
		c := newClient(t, o)
		got, err := c.Get(t.Context(), Request{Path: "x"})
		if err == nil && string(got) != "hello" {
			t.Errorf("got %q", got)
		}
		return c, err
	}
	t.Run("one", func(t *testing.T) {
		before := used(a)
		if _, err := get(t, Options{Hosts: []string{s.URL}, Proxies: strings.TrimPrefix(a.URL, "http://")}); err != nil || used(a) != before+1 {
			t.Errorf("%v, proxy used %d times", err, used(a)-before)
		}
	})
	t.Run("dead group first", func(t *testing.T) {
		before := used(b)
		c, err := get(t, Options{Hosts: []string{s.URL}, Proxies: deadURL(t) + "|" + deadURL(t) + ";" + b.URL + ";DIRECT"})
		if err != nil || used(b) != before+1 {
			t.Errorf("%v, proxy used %d times", err, used(b)-before)
		}
		if _, _, active := c.Proxies(); active != b.URL {
			t.Errorf("active is %q, want %q", active, b.URL)
		}
	})
	t.Run("dead, then DIRECT", func(t *testing.T) {
		c, err := get(t, Options{Hosts: []string{s.URL}, Proxies: deadURL(t) + ";DIRECT"})
		if _, _, active := c.Proxies(); err != nil || active != direct {
			t.Errorf("%v, active is %q", err, active)
		}
	})
	t.Run("fallback drops DIRECT", func(t *testing.T) {
		before := used(b)
		c, err := get(t, Options{Hosts: []string{s.URL}, Proxies: "DIRECT;" + deadURL(t), FallbackProxies: b.URL + ";DIRECT"})
		groups, fallback, _ := c.Proxies()
		if err != nil || used(b) != before+1 || len(groups) != 2 || fallback != 1 {
			t.Errorf("%v, groups %v, fallback from %d", err, groups, fallback)
		}
	})
	t.Run("all dead", func(t *testing.T) {
		c := newClient(t, Options{Hosts: []string{s.URL, s.URL}, Proxies: deadURL(t) + "|" + deadURL(t)})
		_, err := c.Get(t.Context(), Request{Path: "x"})
		var e *Error
		if !errors.Is(err, ErrUnreachable) || !errors.As(err, &e) || e.Attempts != 4 || e.Code != ProxyConnect {
			t.Errorf("got %v", err)
		}
	})
	t.Run("host dead behind a proxy", func(t *testing.T) {
		_, err := get(t, Options{Hosts: []string{deadURL(t), s.URL}, Proxies: a.URL})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("only dead hosts behind a proxy", func(t *testing.T) {
		if _, err := get(t, Options{Hosts: []string{deadURL(t), deadURL(t)}, Proxies: a.URL}); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("proxy refuses", func(t *testing.T) {
		closed := newServer(t, status(403))
		before := used(b)
		if _, err := get(t, Options{Hosts: []string{s.URL}, Proxies: closed.URL + ";" + b.URL}); err != nil || used(b) != before+1 {
			t.Errorf("%v, second proxy used %d times", err, used(b)-before)
		}
	})
	t.Run("proxy hangs", func(t *testing.T) {
		hung := newServer(t, hangs)
		if _, err := get(t, Options{Hosts: []string{s.URL}, Proxies: hung.URL + ";" + b.URL, Timeout: 500 * time.Millisecond}); err != nil {
			t.Error(err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		now := time.Now()
		bad := newServer(t, status(403))
		c := newClient(t, Options{
			Hosts: []string{s.URL}, Proxies: bad.URL + ";" + b.URL, ProxyResetAfter: time.Minute, Now: func() time.Time { return now },
		})
		for i, want := range []int{1, 1, 2} {
			if i == 2 {
				now = now.Add(time.Minute)
			}
			if _, err := c.Get(t.Context(), Request{Path: "x"}); err != nil || used(bad) != want {
				t.Errorf("request %d: %v, first proxy asked %d times, want %d", i, err, used(bad), want)
			}
		}
	})
}

func TestSecretsAreNotShown(t *testing.T) {
	var log bytes.Buffer
	withUser := func(u string) string { return strings.Replace(u, "http://", "http://alice:secret@", 1) }
	c := newClient(t, Options{
		Hosts: []string{withUser(deadURL(t)), withUser(deadURL(t))}, Proxies: withUser(deadURL(t)) + "|" + withUser(deadURL(t)),
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	_, err := c.Get(t.Context(), Request{Path: "x"})
	hosts, _ := c.Hosts()
	groups, _, _ := c.Proxies()
	all := fmt.Sprint(err, log.String(), hosts, groups)
	if strings.Contains(all, "secret") || strings.Contains(all, "alice") || log.Len() == 0 {
		t.Errorf("shown: %s", all)
	}
}

func TestProxyCredentialsAreSent(t *testing.T) {
	s, p := newServer(t, says("hello")), forwarder(t)
	c := newClient(t, Options{Hosts: []string{s.URL}, Proxies: strings.Replace(p.URL, "http://", "http://alice:secret@", 1)})
	if _, err := c.Get(t.Context(), Request{Path: "x"}); err != nil {
		t.Fatal(err)
	}
	if got := p.requests()[0].Header.Get("Proxy-Authorization"); !strings.HasPrefix(got, "Basic ") {
		t.Errorf("Proxy-Authorization is %q", got)
	}
}
