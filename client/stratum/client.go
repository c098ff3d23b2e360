package stratum

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Client fetches files of one repository. It may be used by any number of
// goroutines.
type Client struct {
	o     Options
	hosts []*url.URL
	http  *http.Client
	slots chan struct{} // one for each request in progress

	mu       sync.Mutex // guards what follows
	host     int        // the active host
	hostLeft time.Time  // when the first host was left
	proxies  *proxySet
}

// Request says what to fetch.
type Request struct {
	Path       string // below the host's URL, not escaped
	Label      string // what it is, for people
	Limit      int64  // most bytes of the body; 0: 1 MiB
	SingleHost bool   // do not try other hosts
}

// defaultLimit is the most bytes of a body when the request sets no limit.
const defaultLimit = 1 << 20

// New checks the options and returns a client. It touches no network. Errors match
// [ErrNoProxy] when no proxy is configured, and are the user's fault in any case.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	c := &Client{o: o, slots: make(chan struct{}, o.MaxConnections)}
	files := len(o.Hosts) > 0
	for _, h := range o.Hosts {
		u, err := parseHost(h, o.FQRN)
		if err != nil {
			return nil, err
		}
		files = files && u.Scheme == "file"
		c.hosts = append(c.hosts, u)
	}
	if files { // proxies are of no use to them
		o.Proxies, o.FallbackProxies = direct, ""
	}
	var err error
	if c.proxies, err = parseProxies(o, rand.IntN); err != nil {
		return nil, err
	}
	c.http = newHTTP(o)
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.TimeoutDirect <= 0 {
		o.TimeoutDirect = defaultTimeout
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = defaultConnections
	}
	if o.UserAgent == "" {
		o.UserAgent = defaultUserAgent
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Close closes idle connections. Requests in progress go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Hosts returns the host chain, without users and passwords, and the index of the
// active one.
func (c *Client) Hosts() (urls []string, active int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.hosts {
		urls = append(urls, redact(h))
	}
	return urls, c.host
}

// Proxies returns the groups of proxies, without users and passwords, the index of
// the first fallback group, and the active proxy.
func (c *Client) Proxies() (groups [][]string, fallback int, active string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range c.proxies.groups {
		var names []string
		for _, p := range g {
			names = append(names, p.String())
		}
		groups = append(groups, names)
	}
	return groups, c.proxies.fallback, c.proxies.active.String()
}

// SwitchHost makes the next host of the chain the active one.
func (c *Client) SwitchHost(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.switchHost(c.host, reason)
}

// switchHost goes on from host i, unless another request has done so already.
func (c *Client) switchHost(i int, reason string) {
	if i != c.host || len(c.hosts) < 2 {
		return
	}
	if i == 0 {
		c.hostLeft = c.o.Now()
	}
	c.host = (i + 1) % len(c.hosts)
	if c.host == 0 {
		c.hostLeft = time.Time{}
	}
	c.o.Log.Warn("host switched", "from", redact(c.hosts[i]), "to", redact(c.hosts[c.host]), "reason", reason)
}

// way is how a request is tried: by which host and proxy.
type way struct {
	index int
	host  *url.URL
	proxy *proxy
}

// isDirect reports whether no proxy is used.
func (w way) isDirect() bool { return w.proxy.url == nil || w.host.Scheme == "file" }

// way returns the active host and proxy, after going back to the first ones when
// that is due.
func (c *Client) way() way {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.o.Now()
	if attr, changed := c.proxies.reset(c.o.ProxyResetAfter, now); changed {
		c.o.Log.Info("proxies reset", attr)
	}
	if c.o.HostResetAfter > 0 && c.host != 0 && !c.hostLeft.IsZero() && now.Sub(c.hostLeft) >= c.o.HostResetAfter {
		c.host, c.hostLeft = 0, time.Time{}
		c.o.Log.Info("host reset", "to", redact(c.hosts[0]))
	}
	return way{c.host, c.hosts[c.host], c.proxies.active}
}

// Get fetches a small file into memory.
func (c *Client) Get(ctx context.Context, req Request) ([]byte, error) {
	var data []byte
	err := c.Fetch(ctx, req, func(body io.Reader) (err error) {
		data, err = io.ReadAll(body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Fetch fetches a file. sink gets the body of each attempt and must read it to its
// end; it is called again, from the beginning, when an attempt fails. An error of
// sink that matches [ErrCorrupt] or [object.ErrCorrupt] says that the data are not
// what they should be, which makes other ways be tried; any other ends the request.
// Errors are of type *[Error].
func (c *Client) Fetch(ctx context.Context, req Request, sink func(body io.Reader) error) error {
	if len(c.hosts) == 0 {
		return &Error{Code: HostResolve, URL: req.Path, Err: errors.New("no server is configured")}
	}
	if req.Limit <= 0 {
		req.Limit = defaultLimit
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return &Error{Code: Canceled, URL: req.Path, Err: ctx.Err()}
	}
	j := job{usedHosts: 1, usedProxies: 1}
	for {
		w := c.way()
		failed := c.attempt(ctx, w, req, j.noCache, sink)
		if failed == nil {
			return nil
		}
		j.attempts++
		j.answered = j.answered || failed.Answered
		c.o.Log.Debug("attempt failed", "url", failed.URL, "proxy", failed.Proxy, "error", failed)
		if !c.next(ctx, &j, w, req, failed) {
			failed.Attempts, failed.Answered = j.attempts, j.answered
			return failed
		}
	}
}

// newHTTP returns the client for all requests: it follows redirects or not.
func newHTTP(o Options) *http.Client {
	return &http.Client{
		Transport: newTransport(o),
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case !o.FollowRedirects:
				return http.ErrUseLastResponse
			case len(via) > maxRedirects:
				return errRedirects
			case !slices.Contains([]string{"http", "https"}, r.URL.Scheme):
				return errScheme
			}
			return nil
		},
	}
}
