// Package fetch downloads files from RPM repositories and verifies them while they
// arrive.
//
// A download is tried three times per URL, then at the next one (a mirror). A server
// that is silent or slow is given up, a redirect from https to http is refused, and
// nothing longer than announced is read. A file appears under its name only complete
// and with the right checksum.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/version"
)

// Options are the knobs of a [Client]; the zero value means the defaults, which are
// those of the original makedist.
type Options struct {
	ConnectTimeout time.Duration // default 5 s
	SlowBytes      int64         // give up when fewer bytes than this, default 1,250,000 (125 kB/s) ...
	SlowTime       time.Duration // ... arrive in this time, default 10 s
	Tries          int           // per URL, default 3
	Pause          time.Duration // before the second try, doubled for the third; default 500 ms
	Progress       Progress      // nil: nobody watches
}

// A Client downloads. It is safe for concurrent use.
type Client struct {
	opts Options
	http *http.Client
}

// New returns a client with its own connections; [Client.Close] ends them.
func New(o Options) *Client {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.ConnectTimeout, 5*time.Second)
	def(&o.SlowTime, 10*time.Second)
	def(&o.Pause, 500*time.Millisecond)
	if o.SlowBytes == 0 {
		o.SlowBytes = 1_250_000
	}
	if o.Tries == 0 {
		o.Tries = 3
	}
	if o.Progress == nil {
		o.Progress = Quiet{}
	}
	return &Client{o, &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: o.ConnectTimeout}).DialContext,
			TLSHandshakeTimeout:    2 * o.ConnectTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // a .gz file is to arrive as it is
			MaxIdleConnsPerHost:    8,
			ForceAttemptHTTP2:      true,
		},
	}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirects")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("redirect from https to %s refused", req.URL.Scheme)
	}
	return nil
}

// errSlow ends a download that is too slow.
var errSlow = errors.New("the server is too slow")

// A statusError is an answer other than 200.
type statusError struct{ code int }

func (e statusError) Error() string {
	return fmt.Sprintf("the server answers %d %s", e.code, http.StatusText(e.code))
}

// permanent reports whether another try at the same URL is of no use.
func permanent(err error) bool {
	var status statusError
	if errors.As(err, &status) {
		return status.code < 500 && status.code != http.StatusRequestTimeout && status.code != http.StatusTooManyRequests
	}
	var digest *DigestError
	return errors.As(err, &digest) || errors.Is(err, errLocal) || errors.Is(err, errTooLong) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errSlow)
}

// try calls get for each URL until one succeeds. What it returns carries an exit
// code: of a wrong checksum, if there was one, else that nothing could be reached.
func (c *Client) try(ctx context.Context, urls []string, get func(url string) error) error {
	var errs []error
	for _, u := range urls {
		pause := c.opts.Pause
		for n := 1; ; n++ {
			err := get(u)
			if err == nil {
				return nil
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if errors.Is(err, errLocal) {
				return exit.Wrap(exit.Output, err)
			}
			if permanent(err) || n >= c.opts.Tries {
				errs = append(errs, fmt.Errorf("fetch %q: %w", redact(u), unwrapURL(err)))
				break
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(pause):
				pause *= 2
			}
		}
	}
	joined := errors.Join(errs...)
	var digest *DigestError
	if errors.As(joined, &digest) {
		return exit.Wrap(exit.Digest, joined)
	}
	return exit.Wrap(exit.Unreachable, joined)
}

// body asks for a URL and calls use with the answer's body, which fails with
// [errSlow] when too little arrives. Length is what the server announced or -1.
func (c *Client) body(ctx context.Context, rawURL string, use func(r io.Reader, length int64) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "cvmfsbundle/"+version.Version)
	watch := newWatchdog(c.opts.SlowBytes, c.opts.SlowTime, func() { cancel(errSlow) })
	defer watch.stop()
	err = func() error {
		resp, err := c.http.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return statusError{resp.StatusCode}
		}
		return use(&counted{resp.Body, watch}, resp.ContentLength)
	}()
	if err != nil && errors.Is(context.Cause(ctx), errSlow) {
		return errSlow
	}
	return err
}

// redact removes a password from a URL for messages.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(invalid URL)"
	}
	return u.Redacted()
}

// unwrapURL strips the operation and URL that net/http puts before its errors.
func unwrapURL(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}
