package stratum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// drainLimit is how much of an answer that is of no use is read, so that the
// connection can be used again.
const drainLimit = 16 << 10

// attempt tries a request once, by one way.
func (c *Client) attempt(ctx context.Context, w way, req Request, noCache bool, sink func(io.Reader) error) *Error {
	failed := &Error{URL: redact(w.host) + "/" + req.Path, Proxy: w.proxy.String()}
	if w.isDirect() {
		failed.Proxy = direct
	}
	u, err := join(w.host, req.Path)
	if err != nil {
		return failed.with(BadURL, err)
	}
	failed.URL = redact(u)
	if u.Scheme == "file" {
		return c.attemptFile(u, req, failed, sink)
	}
	timeout := c.o.Timeout
	if w.isDirect() {
		timeout = c.o.TimeoutDirect
	}
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	guard := newGuard(timeout, c.o.LowSpeedLimit, func() { cancel(errSlow) })
	defer guard.stop()
	ctx = context.WithValue(ctx, wayKey{}, wayValue{w.proxy.url, timeout})
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { guard.connecting(true) },
		GotConn: func(httptrace.GotConnInfo) { guard.connecting(false) },
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return failed.with(BadURL, nil)
	}
	c.header(r, req, noCache)
	resp, err := c.http.Do(r)
	if err != nil {
		return failed.transport(outer, ctx, err, w.isDirect())
	}
	defer resp.Body.Close()
	failed.Answered = true
	b := &body{r: resp.Body, guard: guard, left: req.Limit}
	if code := classifyStatus(resp, w.isDirect()); code != OK {
		io.CopyN(io.Discard, b, drainLimit) // as a courtesy; the answer is known
		failed.Status = resp.StatusCode
		// A gateway error is the proxy's word for a server that does not answer.
		failed.Answered = w.isDirect() || resp.StatusCode < 502 || resp.StatusCode > 504
		return failed.with(code, nil)
	}
	err = sink(b)
	if err != nil && b.err != nil && b.err != errBody {
		return failed.transport(outer, ctx, b.err, w.isDirect())
	}
	return failed.sink(err, b)
}

func (c *Client) header(r *http.Request, req Request, noCache bool) {
	r.Header.Set("Accept", "*/*")
	r.Header.Set("User-Agent", c.o.UserAgent)
	r.Header.Set("Connection", "Keep-Alive")
	if noCache {
		r.Header.Set("Pragma", "no-cache")
		r.Header.Set("Cache-Control", "no-cache")
	}
	if c.o.SendInfo && req.Label != "" {
		r.Header.Set("Cvmfs-Info", escape(req.Label))
	}
}

// attemptFile reads from a file:// host.
func (c *Client) attemptFile(u *url.URL, req Request, failed *Error, sink func(io.Reader) error) *Error {
	f, err := os.OpenFile(u.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		failed.Answered, failed.Status = true, http.StatusNotFound
		return failed.with(HostHTTP, nil)
	}
	if err != nil {
		return failed.with(HostConnect, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return failed.with(HostConnect, err)
	}
	failed.Answered = true
	b := &body{r: f, left: req.Limit}
	err = sink(b)
	if err != nil && b.err != nil && b.err != errBody {
		return failed.with(HostCut, b.err)
	}
	return failed.sink(err, b)
}

func (e *Error) with(code Code, err error) *Error {
	e.Code, e.Err = code, err
	return e
}

// sink says what an error of the sink means.
func (e *Error) sink(err error, b *body) *Error {
	switch {
	case err == nil:
		return nil
	case b.err == errBody:
		return e.with(TooBig, fmt.Errorf("more than %d bytes", b.limit()))
	case errors.Is(err, object.ErrCorrupt), errors.Is(err, ErrCorrupt):
		return e.with(BadData, err)
	}
	return e.with(LocalIO, err)
}

// classifyStatus says what the status of an answer means.
func classifyStatus(resp *http.Response, isDirect bool) Code {
	s := resp.StatusCode
	code := HostHTTP
	switch {
	case s/100 == 2:
		return OK
	case s == http.StatusTooManyRequests:
		return HostConnect
	case s/100 == 5, s == http.StatusBadRequest, s == http.StatusNotFound, s/100 == 3:
	case !isDirect:
		code = ProxyHTTP
	}
	byProxy := resp.Header.Get("X-Squid-Error") != "" || strings.Contains(resp.Header.Get("Proxy-Status"), "error=")
	if byProxy && !isDirect {
		code = ProxyHTTP
	}
	return code
}

// errBody marks a body that has more bytes than it may.
var errBody = errors.New("body is too long")

// body is what a sink reads: bounded, and its reader watched.
type body struct {
	r     io.Reader
	guard *guard
	left  int64
	read  int64
	err   error // what ended it, but io.EOF
}

func (b *body) limit() int64 { return b.left + b.read }

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	b.guard.waiting(true)
	n, err := b.r.Read(p)
	b.guard.waiting(false)
	b.guard.count(n)
	if int64(n) > b.left {
		b.err = errBody
		return 0, b.err
	}
	b.left -= int64(n)
	b.read += int64(n)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}
