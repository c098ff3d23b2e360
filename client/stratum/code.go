package stratum

import (
	"errors"
	"fmt"
)

// Code is a kind of failure, numbered as in the CVMFS client, network_errors.h.
type Code int

// The kinds of failure.
const (
	OK             Code = 0
	LocalIO        Code = 1
	BadURL         Code = 2
	ProxyResolve   Code = 3
	HostResolve    Code = 4
	ProxiesFailed  Code = 5
	ProxyConnect   Code = 6
	HostConnect    Code = 7
	ProxyHTTP      Code = 8
	HostHTTP       Code = 9
	BadData        Code = 10
	TooBig         Code = 11
	UnknownNetwork Code = 12
	BadScheme      Code = 13
	ProxySlow      Code = 14
	HostSlow       Code = 15
	ProxyCut       Code = 16
	HostCut        Code = 17
	Canceled       Code = 18
)

var codeTexts = [...]string{
	"OK", "local I/O failure", "malformed URL", "failed to resolve proxy address", "failed to resolve host address",
	"all proxies failed, trying host fail-over", "proxy connection problem", "host connection problem",
	"proxy returned HTTP error", "host returned HTTP error", "corrupted data received", "resource too big to download",
	"unknown network error", "Unsupported URL in protocol", "proxy serving data too slowly", "host serving data too slowly",
	"proxy data transfer cut short", "host data transfer cut short", "request canceled",
}

// String returns the CVMFS client's text for the code.
func (c Code) String() string {
	if c < 0 || int(c) >= len(codeTexts) {
		return fmt.Sprintf("error %d", int(c))
	}
	return codeTexts[c]
}

// hostClass: another host may do better.
func (c Code) hostClass() bool {
	switch c {
	case HostResolve, HostConnect, HostHTTP, HostSlow, HostCut:
		return true
	}
	return false
}

// proxyClass: another proxy may do better.
func (c Code) proxyClass() bool {
	switch c {
	case ProxyResolve, ProxyConnect, ProxyHTTP, ProxySlow, ProxyCut:
		return true
	}
	return false
}

// transient: the same way may do better a moment later.
func (c Code) transient() bool {
	switch c {
	case ProxyConnect, HostConnect, ProxySlow, HostSlow, ProxyCut, HostCut:
		return true
	}
	return false
}

// What callers branch on. An [*Error] matches at most one of them.
var (
	ErrUnreachable = errors.New("no server reachable") // nobody gave an answer
	ErrNotFound    = errors.New("not found")           // a server says that there is no such file
	ErrCorrupt     = errors.New("corrupt data")        // what came is not what was asked for
)

// Configuration errors of [New].
var (
	ErrNoProxy   = errors.New("failed to discover HTTP proxy servers") // CVMFS_HTTP_PROXY is empty
	ErrAutoProxy = errors.New("auto proxy discovery is not in this version yet")
)

// Error is why a request failed for good: the last of its failures.
type Error struct {
	Code     Code
	URL      string // without user and password
	Proxy    string // without user and password; "DIRECT" if none
	Status   int    // of the last HTTP answer, 0 if there was none
	Answered bool   // some server gave some answer
	Attempts int
	Err      error // nil when the code says it all
}

func (e *Error) Error() string {
	s := fmt.Sprintf("fetch %q", e.URL)
	if e.Proxy != "" && e.Proxy != direct {
		s += fmt.Sprintf(" through proxy %q", e.Proxy)
	}
	s += ": " + e.Code.String()
	if e.Status != 0 {
		s += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Is matches [ErrUnreachable], [ErrNotFound] and [ErrCorrupt].
func (e *Error) Is(target error) bool {
	switch target {
	case ErrCorrupt:
		return e.Code == BadData || e.Code == TooBig
	case ErrNotFound:
		return e.Status == 404 && (e.Code == HostHTTP || e.Code == ProxyHTTP)
	case ErrUnreachable:
		return !e.Answered && (e.Code.hostClass() || e.Code.proxyClass() || e.Code == ProxiesFailed || e.Code == UnknownNetwork)
	}
	return false
}
