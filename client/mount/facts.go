package mount

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/fusefs"
	"github.com/cvmfsbundle/cvmfsbundle/client/options"
)

func itoa(n int) string { return strconv.Itoa(n) }

// reservedFiles is how many descriptors opened files leave for catalogs, chunks and
// connections (CVMFS client, cvmfs.cc kNumReservedFd). Where there are few, opened
// files get a quarter, as catalogs do.
const reservedFiles = 512

// maxConnections is how many downloads go on at once: each takes a connection and two
// descriptors of the object.
func maxConnections() int { return max(min(maxFiles()/16, 16), 1) }

// fsConfig describes the file system.
func (s *session) fsConfig() fusefs.Config {
	r, o := s.repo, s.opts
	c := fusefs.Config{
		Tree:          r.tree,
		Objects:       objects{r.fetcher},
		Timeout:       o.KernelTimeout,
		WorldReadable: o.WorldReadable,
		Xattrs:        visibility(o.Xattrs),
		Facts:         s.facts(),
		Attached:      r.tree.Attached,
		MaxOpen:       max(maxFiles()-reservedFiles, maxFiles()/4),
		Log:           s.log.Printf,
		Usage: func() fusefs.Usage {
			used, limit := r.cache.Usage()
			return fusefs.Usage{Capacity: limit, Used: used}
		},
		Entries: func(ctx context.Context) (all, loaded int64) {
			counters, err := r.tree.Counters(ctx)
			if err != nil {
				return 0, 0
			}
			loaded, _ = r.tree.LoadedEntries()
			return counters.Entries(), loaded
		},
	}
	if o.ClaimOwnership {
		c.Owner = &fusefs.Owner{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	} else {
		c.UIDs, c.GIDs = s.uids, s.gids
	}
	if !o.RawSymlinks {
		c.Env = variables(s.params)
	}
	return c
}

func visibility(v options.Visibility) fusefs.Visibility {
	switch v {
	case options.XattrsNever:
		return fusefs.Never
	case options.XattrsAlways:
		return fusefs.Always
	}
	return fusefs.RootOnly
}

// facts are the attributes of the mount that the file system itself cannot know.
func (s *session) facts() map[string]func() string {
	r := s.repo
	fixed := func(v string) func() string { return func() string { return v } }
	seconds := func(d time.Duration) func() string { return fixed(itoa(int(d / time.Second))) }
	return map[string]func() string{
		"fqrn":             fixed(s.cmd.Repository),
		"version":          fixed(CompatVersion + ".0"),
		"root_hash":        fixed(r.root.Root.String()),
		"revision":         fixed(strconv.FormatUint(r.root.Revision, 10)),
		"tag":              fixed(""),
		"expires":          fixed("never (fixed root catalog)"),
		"host":             func() string { return strings.SplitN(r.hosts(), ";", 2)[0] },
		"host_list":        r.hosts,
		"proxy":            func() string { _, _, active := r.stratum.Proxies(); return active },
		"proxy_list":       r.proxies,
		"timeout":          seconds(r.stratumOpts.Timeout),
		"timeout_direct":   seconds(r.stratumOpts.TimeoutDirect),
		"external_host":    fixed(""),
		"external_timeout": seconds(r.stratumOpts.TimeoutDirect),
		"maxfd":            func() string { return itoa(max(maxFiles()-reservedFiles, 0)) },
		"pubkeys":          r.publicKeys,
		"logbuffer":        func() string { return strings.Join(s.log.Last(), "\n") },
	}
}

// hosts returns the host chain, the active one first.
func (r *repository) hosts() string {
	urls, active := r.stratum.Hosts()
	if len(urls) == 0 {
		return ""
	}
	return strings.Join(append(append([]string{}, urls[active:]...), urls[:active]...), ";")
}

func (r *repository) proxies() string {
	groups, _, _ := r.stratum.Proxies()
	var lines []string
	for _, g := range groups {
		lines = append(lines, g...)
	}
	return strings.Join(lines, "\n")
}

func (r *repository) publicKeys() string {
	var b bytes.Buffer
	for _, k := range r.keys {
		if der, err := x509.MarshalPKIXPublicKey(k.RSA); err == nil {
			pem.Encode(&b, &pem.Block{Type: "PUBLIC KEY", Bytes: der})
		}
	}
	return b.String()
}
