package stratum

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
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
