package stratum

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// server is a host that keeps what it was asked for.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

func newServer(t testing.TB, h http.HandlerFunc) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r)
		s.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func (s *server) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// hangs never answers.
func hangs(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// stops sends the head and a part of the body, and then nothing.
func stops(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100000")
	io.WriteString(w, "some")
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// trickles sends a byte now and then.
func trickles(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		w.Write([]byte{'x'})
		w.(http.Flusher).Flush()
		time.Sleep(5 * time.Millisecond)
	}
}

// cuts closes the connection within the body.
func cuts(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100000")
	io.WriteString(w, "some")
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// deadURL is the address of a server that is gone.
func deadURL(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// forwarder is a plain forwarding proxy.
func forwarder(t testing.TB) *server {
	return newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host == "" {
			http.Error(w, "this is a proxy", http.StatusBadRequest)
			return
		}
		out := r.Clone(r.Context())
		out.RequestURI = ""
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(out)
		if err != nil {
			http.Error(w, "cannot reach it", http.StatusServiceUnavailable)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	})
}

func newClient(t testing.TB, o Options) *Client {
	t.Helper()
	if o.Proxies == "" {
		o.Proxies = direct
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.TimeoutDirect == 0 {
		o.TimeoutDirect = o.Timeout
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

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
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", 302) }, HostHTTP, nil},
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

func TestHostFailover(t *testing.T) {
	for name, bad := range map[string]http.HandlerFunc{"404": status(404), "500": status(500), "hangs": hangs, "cuts": cuts, "stops": stops} {
		t.Run(name, func(t *testing.T) {
			broken, good := newServer(t, bad), newServer(t, says("hello"))
			c := newClient(t, Options{Hosts: []string{deadURL(t), broken.URL, good.URL}, Timeout: 100 * time.Millisecond, LowSpeedLimit: 4096})
			for range 2 {
				if got, err := c.Get(t.Context(), Request{Path: "x"}); err != nil || string(got) != "hello" {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if n := len(broken.requests()); n != 1 {
				t.Errorf("the broken host was asked %d times, want once", n)
			}
			if _, active := c.Hosts(); active != 2 {
				t.Errorf("host %d is active", active)
			}
		})
	}
	t.Run("single host", func(t *testing.T) {
		good := newServer(t, says("hello"))
		c := newClient(t, Options{Hosts: []string{deadURL(t), good.URL}})
		if _, err := c.Get(t.Context(), Request{Path: "x", SingleHost: true}); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		now := time.Now()
		a, b := newServer(t, status(500)), newServer(t, says("hello"))
		c := newClient(t, Options{Hosts: []string{a.URL, b.URL}, HostResetAfter: time.Minute, Now: func() time.Time { return now }})
		for i, want := range []int{1, 1, 2} {
			if i == 2 {
				now = now.Add(time.Minute)
			}
			if _, err := c.Get(t.Context(), Request{Path: "x"}); err != nil || len(a.requests()) != want {
				t.Errorf("request %d: %v, first host asked %d times, want %d", i, err, len(a.requests()), want)
			}
		}
	})
}

func TestSameURLRetry(t *testing.T) {
	var s *server
	s = newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if len(s.requests()) < 3 {
			cuts(w, r)
		}
		io.WriteString(w, "hello")
	})
	c := newClient(t, Options{Hosts: []string{s.URL}, MaxRetries: 2, BackoffInit: time.Millisecond, BackoffMax: 2 * time.Millisecond})
	if got, err := c.Get(t.Context(), Request{Path: "x"}); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestCorruptIsAskedForAgain(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cache-Control") == "no-cache" && r.Header.Get("Pragma") == "no-cache" {
			io.WriteString(w, "hello")
			return
		}
		io.WriteString(w, "hexxo")
	})
	always := newServer(t, says("hexxo"))
	sink := func(body io.Reader) error {
		_, err := object.Copy(io.Discard, body, object.Spec{Hash: object.SHA1.Sum([]byte("hello")), Compression: object.Stored})
		return err
	}
	c := newClient(t, Options{Hosts: []string{s.URL}})
	if err := c.Fetch(t.Context(), Request{Path: "x"}, sink); err != nil || len(s.requests()) != 2 {
		t.Errorf("%v after %d requests", err, len(s.requests()))
	}
	c = newClient(t, Options{Hosts: []string{always.URL, s.URL}})
	if err := c.Fetch(t.Context(), Request{Path: "x"}, sink); err != nil || len(always.requests()) != 2 {
		t.Errorf("%v after %d requests of the bad host", err, len(always.requests()))
	}
	c = newClient(t, Options{Hosts: []string{always.URL}})
	err := c.Fetch(t.Context(), Request{Path: "x"}, sink)
	var d *object.DigestError
	if !errors.Is(err, ErrCorrupt) || !errors.As(err, &d) {
		t.Errorf("got %v, want a digest error", err)
	}
}

func TestSinkErrorEndsTheRequest(t *testing.T) {
	s := newServer(t, says("hello"))
	full := errors.New("disk full")
	err := newClient(t, Options{Hosts: []string{s.URL, s.URL}}).Fetch(t.Context(), Request{Path: "x"}, func(io.Reader) error { return full })
	var e *Error
	if !errors.As(err, &e) || e.Code != LocalIO || !errors.Is(err, full) || e.Attempts != 1 {
		t.Errorf("got %v", err)
	}
}

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
	t.Run("proxy refuses", func(t *testing.T) {
		closed := newServer(t, status(403))
		before := used(b)
		if _, err := get(t, Options{Hosts: []string{s.URL}, Proxies: closed.URL + ";" + b.URL}); err != nil || used(b) != before+1 {
			t.Errorf("%v, second proxy used %d times", err, used(b)-before)
		}
	})
	t.Run("proxy hangs", func(t *testing.T) {
		hung := newServer(t, hangs)
		if _, err := get(t, Options{Hosts: []string{s.URL}, Proxies: hung.URL + ";" + b.URL, Timeout: 100 * time.Millisecond}); err != nil {
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

func TestRedirects(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", 302)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", 302)
		case "/one":
			http.Redirect(w, r, "/there", 301)
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
	if _, err := c.Get(t.Context(), Request{Path: ""}); !errors.Is(err, ErrUnreachable) && err == nil {
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
	c := newClient(t, Options{Hosts: []string{s.URL}, Timeout: 40 * time.Millisecond, LowSpeedLimit: 1 << 20})
	err := c.Fetch(t.Context(), Request{Path: "x"}, func(body io.Reader) error {
		buf := make([]byte, 100000)
		for {
			if _, err := io.ReadFull(body, buf); err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
			time.Sleep(200 * time.Millisecond) // a slow disk
		}
	})
	if err != nil {
		t.Error(err)
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
