package options

import (
	"strconv"
	"strings"
	"time"
)

// reader takes typed values out of parameters. Absent and, for numbers, garbage
// are what upstream makes of them.
type reader struct {
	p *Parameters
}

// text returns the value of CVMFS_key or def when no file sets it.
func (r reader) text(key, def string) string {
	if v, ok := r.p.Get("CVMFS_" + key); ok {
		return v
	}
	return def
}

// isSet reports whether CVMFS_key has a value that is not empty.
func (r reader) isSet(key string) bool { return r.text(key, "") != "" }

// on reads a switch. A text that is no switch is off, as upstream has it.
func (r reader) on(key string, def bool) bool {
	v, ok := r.p.Get("CVMFS_" + key)
	if !ok {
		return def
	}
	return IsOn(v)
}

// IsOn reports whether a value means yes: YES, ON, TRUE or 1 in any case.
func IsOn(v string) bool {
	switch strings.ToUpper(v) {
	case "YES", "ON", "TRUE", "1":
		return true
	}
	return false
}

// number reads the integer that a value begins with; garbage is 0.
func (r reader) number(key string, def int64) int64 {
	v, ok := r.p.Get("CVMFS_" + key)
	if !ok {
		return def
	}
	v = strings.TrimSpace(v)
	end := 0
	for end < len(v) && (v[end] >= '0' && v[end] <= '9' || end == 0 && (v[end] == '-' || v[end] == '+')) {
		end++
	}
	n, err := strconv.ParseInt(v[:end], 10, 64)
	if err != nil && end < 18 { // out of range is clamped by ParseInt itself
		return 0
	}
	return n
}

const maxSeconds = int64(100 * 365 * 24 * time.Hour / time.Second)

// seconds reads a time span; negative means 0.
func (r reader) seconds(key string, def int64) time.Duration {
	return time.Duration(min(max(r.number(key, def), 0), maxSeconds)) * time.Second
}

// instanceName checks the name of a cache instance (cvmfs/mountpoint.cc).
func instanceName(name string) error {
	ok := name != "" && len(name) <= 24
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_')
	}
	if !ok {
		return usagef("%q is not the name of a cache instance", name)
	}
	return nil
}
