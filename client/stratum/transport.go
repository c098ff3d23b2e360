package stratum

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	maxRedirects = 4
	maxHeader    = 64 << 10 // bytes of an answer's header
)

var (
	errRedirects = errors.New("too many redirects")
	errScheme    = errors.New("unsupported protocol")
)

// wayKey is the context key of a wayValue: what the transport must know of a
// request besides its URL.
type wayKey struct{}

type wayValue struct {
	proxy   *url.URL // nil: none
	timeout time.Duration
}

// newTransport returns a transport that takes the proxy from the request's context
// and nothing from the environment, and leaves bodies as they are sent.
func newTransport(o Options) *http.Transport {
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			v, _ := r.Context().Value(wayKey{}).(wayValue)
			return v.proxy, nil
		},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if o.IPv4Only {
				network = "tcp4"
			}
			d := net.Dialer{Timeout: max(o.Timeout, o.TimeoutDirect), KeepAlive: 30 * time.Second}
			if v, ok := ctx.Value(wayKey{}).(wayValue); ok {
				d.Timeout = v.timeout
			}
			return d.DialContext(ctx, network, addr)
		},
		TLSHandshakeTimeout:    max(o.Timeout, o.TimeoutDirect),
		DisableCompression:     true,
		MaxIdleConnsPerHost:    o.MaxConnections,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// transport says what an error on the way means. outer is the caller's context,
// inner the one that a guard ends.
func (e *Error) transport(outer, inner context.Context, err error, isDirect bool) *Error {
	var ue *url.Error
	if errors.As(err, &ue) { // its text has the URL, with the user's name
		err = ue.Err
	}
	pick := func(host, proxy Code) Code {
		if isDirect {
			return host
		}
		return proxy
	}
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case outer.Err() != nil:
		return e.with(Canceled, context.Cause(outer))
	case errors.Is(context.Cause(inner), errSlow):
		return e.with(pick(HostSlow, ProxySlow), nil)
	case errors.Is(err, errScheme):
		return e.with(BadScheme, nil)
	case errors.Is(err, errRedirects), isTLS(err):
		return e.with(HostConnect, err)
	case errors.As(err, &dns):
		return e.with(pick(HostResolve, ProxyResolve), err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return e.with(pick(HostSlow, ProxySlow), err)
	case errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"):
		return e.with(pick(HostConnect, ProxyConnect), err)
	}
	return e.with(pick(HostCut, ProxyCut), err)
}

// isTLS reports whether err says that a TLS connection could not be trusted or made.
func isTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &unknown)
}
