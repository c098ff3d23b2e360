package stratum

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestNewRefuses(t *testing.T) {
	host := []string{"http://h/cvmfs/x"}
	for _, tt := range []struct {
		name string
		o    Options
		want error
	}{
		{"no proxy", Options{Hosts: host}, ErrNoProxy},
		{"blank proxy", Options{Hosts: host, Proxies: " ; | ;"}, ErrNoProxy},
		{"auto alone", Options{Hosts: host, Proxies: "auto"}, ErrAutoProxy},
		{"auto alone is no proxy", Options{Hosts: host, Proxies: "auto;"}, ErrNoProxy},
		{"socks", Options{Hosts: host, Proxies: "socks5://p:1"}, nil},
		{"malformed", Options{Hosts: host, Proxies: "http://user:secret@[::1;DIRECT"}, nil},
		{"no name", Options{Hosts: host, Proxies: "http://:3128"}, nil},
		{"host scheme", Options{Hosts: []string{"ftp://user:secret@h/x"}, Proxies: direct}, nil},
		{"host without name", Options{Hosts: []string{"http:///x"}, Proxies: direct}, nil},
		{"relative", Options{Hosts: []string{"cvmfs/x"}, Proxies: direct}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.o)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the password is shown: %v", err)
			}
		})
	}
	c, err := New(Options{Hosts: host, Proxies: "auto;DIRECT"})
	if err != nil {
		t.Fatal(err)
	}
	if groups, _, _ := c.Proxies(); len(groups) != 1 {
		t.Errorf("auto;DIRECT gives %v", groups)
	}
	c, err = New(Options{Hosts: host, Proxies: "auto", AutoProxy: func() (string, error) { return "http://a:1;http://b:2|http://c:3", nil }})
	if err != nil {
		t.Fatal(err)
	}
	if groups, _, _ := c.Proxies(); fmt.Sprint(groups) != "[[http://a:1] [http://b:2 http://c:3]]" {
		t.Errorf("auto gives %v", groups)
	}
}

func TestFromConfig(t *testing.T) {
	set := map[string]string{
		"SERVER_URL": "http://a/cvmfs/@fqrn@ ; http://b/cvmfs/@fqrn@;", "HTTP_PROXY": "DIRECT", "TIMEOUT": "7s", "TIMEOUT_DIRECT": "-3",
		"LOW_SPEED_LIMIT": "x", "MAX_RETRIES": "3", "FOLLOW_REDIRECTS": "yes", "MAX_SERVERS": "0",
	}
	o := FromConfig("x.y.z", func(k string) (string, bool) { v, ok := set[k]; return v, ok })
	if len(o.Hosts) != 2 || o.Timeout != 7*time.Second || o.TimeoutDirect != 0 || o.LowSpeedLimit != 0 || o.MaxRetries != 3 ||
		!o.FollowRedirects || o.BackoffInit != 2*time.Second || o.BackoffMax != 10*time.Second {
		t.Errorf("options are %+v", o)
	}
	o = FromConfig("x.y.z", func(string) (string, bool) { return "", false })
	if o.LowSpeedLimit != 1024 || o.MaxRetries != 1 || o.Timeout != 5*time.Second || o.Hosts != nil {
		t.Errorf("defaults are %+v", o)
	}
}

func FuzzOptions(f *testing.F) {
	f.Add("http://h/cvmfs/@fqrn@", "auto;DIRECT", "http://a|b:3128")
	f.Add("file:///srv", "http://u:p@[::1]:3128", "")
	f.Fuzz(func(t *testing.T, host, proxies, fallback string) {
		c, err := New(Options{FQRN: "a.b.c", Hosts: []string{host}, Proxies: proxies, FallbackProxies: fallback})
		if err != nil {
			return
		}
		w := c.way()
		if w.proxy == nil || w.host == nil {
			t.Fatalf("no way for %q, %q, %q", host, proxies, fallback)
		}
		if u, err := join(w.host, "data/x"); err == nil && !strings.HasSuffix(u.EscapedPath(), "/data/x") {
			t.Fatalf("%q joined: %q", host, u)
		}
		for range 10 {
			c.proxies.burn(c.proxies.active, time.Time{}.Add(1))
		}
	})
}
