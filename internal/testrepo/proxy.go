package testrepo

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

// Proxy is a small forward proxy for HTTP on loopback.
type Proxy struct {
	URL string // http://127.0.0.1:PORT

	server   *http.Server
	client   *http.Transport
	requests atomic.Int64
	status   atomic.Int64
	auth     atomic.Pointer[string]
}

// NewProxy starts a proxy. Close (or Kill) ends it.
func NewProxy() (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{URL: "http://" + l.Addr().String(), client: &http.Transport{Proxy: nil, DisableCompression: true}}
	p.server = &http.Server{Handler: p}
	go p.server.Serve(l)
	return p, nil
}

// StartProxy starts a proxy for the time of the test.
func StartProxy(t testing.TB) *Proxy {
	t.Helper()
	p, err := NewProxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// Requests returns the number of requests so far, refused ones among them.
func (p *Proxy) Requests() int { return int(p.requests.Load()) }

// Answer makes the proxy answer every request itself with a status code; 0 makes
// it forward again.
func (p *Proxy) Answer(status int) { p.status.Store(int64(status)) }

// RequireAuth makes the proxy answer 407 unless Proxy-Authorization is value, for
// instance "Basic dTpw"; "" asks for nothing.
func (p *Proxy) RequireAuth(value string) { p.auth.Store(&value) }

// Kill closes the port and every connection at once.
func (p *Proxy) Kill() {
	p.server.Close()
	p.client.CloseIdleConnections()
}

// ServeHTTP forwards one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	if auth := p.auth.Load(); auth != nil && *auth != "" && r.Header.Get("Proxy-Authorization") != *auth {
		w.Header().Set("Proxy-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if code := p.status.Load(); code != 0 {
		w.WriteHeader(int(code))
		return
	}
	if r.URL.Host == "" || r.Method == http.MethodConnect {
		http.Error(w, "a proxy wants an absolute http URL", http.StatusBadRequest)
		return
	}
	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.Header.Del("Proxy-Authorization")
	out.Header.Del("Proxy-Connection")
	resp, err := p.client.RoundTrip(out)
	if err != nil {
		http.Error(w, "cannot reach the server", http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.Header().Set("Via", "1.1 testrepo")
	w.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler) // what the server cut, the proxy cuts
	}
}
