package stratum

import (
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Options configure a [Client]. The zero value of a field means what is said here.
type Options struct {
	// FQRN replaces @fqrn@, and its first part @org@, in Hosts.
	FQRN string
	// Hosts is the chain of servers, the URLs of the repository on each: http,
	// https or file. Empty: every request fails.
	Hosts []string
	// Proxies describes the proxies: groups separated by ";", members by "|".
	// Empty is an error unless all hosts are files; DIRECT stands for none.
	Proxies string
	// FallbackProxies are groups to use after those of Proxies. With any,
	// DIRECT is dropped from both.
	FallbackProxies string
	// AutoProxy finds what the group "auto" stands for. nil: it cannot be found.
	AutoProxy func() (string, error)

	Timeout       time.Duration // through a proxy: to connect, and without enough data; 0: 5 s
	TimeoutDirect time.Duration // the same without proxy; 0: 5 s
	// LowSpeedLimit is the least bytes per second, averaged over the timeout. 0
	// demands one byte in that time.
	LowSpeedLimit   int64
	MaxRetries      int           // of a broken transfer by the same host and proxy
	BackoffInit     time.Duration // longest pause before the first such retry; doubled for the next
	BackoffMax      time.Duration // longest pause
	ProxyResetAfter time.Duration // back to the first group, and to burned proxies; 0: never
	HostResetAfter  time.Duration // back to the first host; 0: never

	FollowRedirects      bool // up to 4
	FailoverIndefinitely bool // go on until the context ends
	IPv4Only             bool
	SendInfo             bool   // send a request's label as header cvmfs-info
	UserAgent            string // empty: "cvmfs Fuse cvmfsbundle"
	MaxConnections       int    // parallel requests; 0: 16

	Log *slog.Logger     // nil: silent
	Now func() time.Time // nil: time.Now
}

// Defaults of the CVMFS client.
const (
	defaultTimeout     = 5 * time.Second
	defaultConnections = 16
	defaultLowSpeed    = 1024
	defaultUserAgent   = "cvmfs Fuse cvmfsbundle"
)

// FromConfig makes options from CVMFS_* parameters. get returns the value of one,
// without the prefix CVMFS_, and whether it is set.
func FromConfig(fqrn string, get func(key string) (value string, ok bool)) Options {
	text := func(key string) string { v, _ := get(key); return v }
	number := func(key string, def int64) int64 {
		v, ok := get(key)
		if !ok {
			return def
		}
		return prefixNumber(v)
	}
	seconds := func(key string, def int64) time.Duration {
		return time.Duration(min(max(number(key, def), 0), 1<<31)) * time.Second
	}
	o := Options{
		FQRN:            fqrn,
		Proxies:         text("HTTP_PROXY"),
		FallbackProxies: text("FALLBACK_PROXY"),
		Timeout:         seconds("TIMEOUT", 5),
		TimeoutDirect:   seconds("TIMEOUT_DIRECT", 5),
		LowSpeedLimit:   max(number("LOW_SPEED_LIMIT", defaultLowSpeed), 0),
		MaxRetries:      int(min(max(number("MAX_RETRIES", 1), 0), 100)),
		BackoffInit:     seconds("BACKOFF_INIT", 2),
		BackoffMax:      seconds("BACKOFF_MAX", 10),
		ProxyResetAfter: seconds("PROXY_RESET_AFTER", 0),
		HostResetAfter:  seconds("HOST_RESET_AFTER", 0),

		FollowRedirects:      isOn(text("FOLLOW_REDIRECTS")),
		FailoverIndefinitely: isOn(text("FAILOVER_INDEFINITELY")),
		SendInfo:             isOn(text("SEND_INFO_HEADER")),
	}
	for host := range strings.SplitSeq(text("SERVER_URL"), ";") {
		if host = strings.TrimSpace(host); host != "" {
			o.Hosts = append(o.Hosts, host)
		}
	}
	if n := number("MAX_SERVERS", 0); n > 0 && int64(len(o.Hosts)) > n {
		o.Hosts = o.Hosts[:n]
	}
	return o
}

// prefixNumber reads the number at the beginning of text, 0 if there is none, as
// the CVMFS client does (util/string.cc).
func prefixNumber(text string) int64 {
	text = strings.TrimLeft(text, " \t")
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && (text[0] == '-' || text[0] == '+')) {
		end++
	}
	n, err := strconv.ParseInt(text[:end], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// isOn reads a switch as the CVMFS client does (options.cc IsOn).
func isOn(text string) bool {
	switch strings.ToUpper(text) {
	case "YES", "ON", "1", "TRUE":
		return true
	}
	return false
}
