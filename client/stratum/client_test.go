package stratum

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestGet(t *testing.T) {
	t.Setenv("http_proxy", deadURL(t))
	t.Setenv("HTTP_PROXY", deadURL(t))
	s := newServer(t, says("hello"))
	c := newClient(t, Options{FQRN: "atlas.cern.ch", Hosts: []string{" " + s.URL + "/cvmfs/@fqrn@/@org@/ "}, SendInfo: true})
	got, err := c.Get(t.Context(), Request{Path: "data/a b%~[x]#?.é", Label: "a label"})
	if err != nil || string(got) != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
	r := s.requests()[0]
	if want := "/cvmfs/atlas.cern.ch/atlas/data/a%20b%25~[x]%23%3F.%C3%A9"; r.RequestURI != want {
		t.Errorf("URL is %q, want %q", r.RequestURI, want)
	}
	for key, want := range map[string]string{
		"User-Agent": defaultUserAgent, "Accept": "*/*", "Pragma": "", "Accept-Encoding": "", "Cvmfs-Info": "a%20label",
	} {
		if got := r.Header.Get(key); got != want {
			t.Errorf("header %s is %q, want %q", key, got, want)
		}
	}
}

// TestFailures has one host and no proxy: each way to fail has its code.
func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		code    Code
		is      error
	}{
		{"not found", status(404), HostHTTP, ErrNotFound},
		{"server error", status(500), HostHTTP, nil},
		{"forbidden", status(403), HostHTTP, nil},
		{"too many requests", status(429), HostConnect, nil},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, HostHTTP, nil},
		{"too big", says(strings.Repeat("x", 1001)), TooBig, ErrCorrupt},
		{"hangs", hangs, HostSlow, ErrUnreachable},
		{"stops", stops, HostSlow, nil},
		{"trickles", trickles, HostSlow, nil},
		{"cuts", cuts, HostCut, nil},
		{"huge header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxHeader))
		}, HostCut, ErrUnreachable},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(conn, "SSH-2.0-hello\r\n")
				conn.Close()
			}
		}, HostCut, ErrUnreachable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, tt.handler)
			c := newClient(t, Options{Hosts: []string{s.URL}, Timeout: 100 * time.Millisecond, LowSpeedLimit: 4096})
			_, err := c.Get(t.Context(), Request{Path: "x", Limit: 1000})
			var e *Error
			if !errors.As(err, &e) || e.Code != tt.code {
				t.Fatalf("got %v, want code %d", err, tt.code)
			}
			for _, kind := range []error{ErrUnreachable, ErrNotFound, ErrCorrupt} {
				if got, want := errors.Is(err, kind), kind == tt.is; got != want {
					t.Errorf("%v is %v: %v, want %v", err, kind, got, want)
				}
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		c := newClient(t, Options{Hosts: []string{deadURL(t), deadURL(t)}, MaxRetries: 2})
		_, err := c.Get(t.Context(), Request{Path: "x"})
		var e *Error
		if !errors.Is(err, ErrUnreachable) || !errors.As(err, &e) || e.Code != HostConnect || e.Attempts != 4 {
			t.Errorf("got %v after %d attempts", err, e.Attempts)
		}
	})
	t.Run("unknown name", func(t *testing.T) {
		c := newClient(t, Options{Hosts: []string{"http://no.such.host.invalid/x"}, Timeout: time.Second})
		_, err := c.Get(t.Context(), Request{Path: "x"})
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no host", func(t *testing.T) {
		if _, err := newClient(t, Options{}).Get(t.Context(), Request{Path: "x"}); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
}

func TestGzipIsNotUndone(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, "no gzip at all")
	})
	got, err := newClient(t, Options{Hosts: []string{s.URL}}).Get(t.Context(), Request{Path: "x"})
	if err != nil || string(got) != "no gzip at all" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRedirects(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/one":
			http.Redirect(w, r, "/there", http.StatusMovedPermanently)
		default:
			io.WriteString(w, "hello")
		}
	})
	c := newClient(t, Options{Hosts: []string{s.URL}, FollowRedirects: true})
	if got, err := c.Get(t.Context(), Request{Path: "one"}); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	for path, want := range map[string]Code{"loop": HostConnect, "file": BadScheme} {
		_, err := c.Get(t.Context(), Request{Path: path})
		var e *Error
		if !errors.As(err, &e) || e.Code != want {
			t.Errorf("%s: got %v, want code %d", path, err, want)
		}
	}
}

func TestFileHost(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a file"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Hosts: []string{"file://" + (&url.URL{Path: dir}).EscapedPath()}}) // no proxy is needed
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), Request{Path: "a file"}); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := c.Get(t.Context(), Request{Path: "a file", Limit: 4}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("too long: %v", err)
	}
	if _, err := c.Get(t.Context(), Request{Path: "none"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	if _, err := c.Get(t.Context(), Request{Path: ""}); err == nil {
		t.Errorf("a directory: %v", err)
	}
}

func TestCancel(t *testing.T) {
	s := newServer(t, hangs)
	c := newClient(t, Options{Hosts: []string{s.URL, s.URL}, MaxConnections: 1, Timeout: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	for range 2 { // the second waits for the first
		go func() {
			_, err := c.Get(ctx, Request{Path: "x"})
			done <- err
		}()
	}
	for len(s.requests()) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	for range 2 {
		var e *Error
		if err := <-done; !errors.As(err, &e) || e.Code != Canceled || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}

func TestSlowReceiverIsNoFailure(t *testing.T) {
	s := newServer(t, says(strings.Repeat("x", 300000)))
	c := newClient(t, Options{Hosts: []string{s.URL}, Timeout: 300 * time.Millisecond, LowSpeedLimit: 1 << 10})
	err := c.Fetch(t.Context(), Request{Path: "x"}, func(body io.Reader) error {
		buf := make([]byte, 100000)
		for {
			if _, err := io.ReadFull(body, buf); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			time.Sleep(450 * time.Millisecond) // a slow disk
		}
	})
	if err != nil {
		t.Error(err)
	}
}
