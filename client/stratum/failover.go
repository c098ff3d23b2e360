package stratum

import (
	"context"
	"math/rand/v2"
	"time"
)

// job counts what a request has used up.
type job struct {
	usedHosts, usedProxies int
	retries                int           // of broken transfers
	pause                  time.Duration // longest pause before the next retry
	noCache                bool          // past all caches, because the data were bad
	attempts               int
	answered               bool
}

// leastPause keeps a request that is tried for ever from being tried all the time.
const leastPause = 100 * time.Millisecond

// next decides after a failure whether the request is tried again, and changes the
// way when that helps. It pauses where a pause is due. It may replace the code of
// the failure.
func (c *Client) next(ctx context.Context, j *job, w way, req Request, failed *Error) bool {
	if ctx.Err() != nil {
		failed.Code, failed.Err = Canceled, context.Cause(ctx)
		return false
	}
	code := failed.Code
	if code.transient() && !j.noCache && j.retries < c.o.MaxRetries {
		j.retries++
		return c.backoff(ctx, j, failed)
	}
	if code == BadData {
		if !j.noCache {
			j.noCache = true
			return true
		}
		if code = HostHTTP; !w.isDirect() {
			code = ProxyHTTP
		}
	}
	if c.failover(j, w, req, code, failed) {
		return true
	}
	if !c.o.FailoverIndefinitely || !code.hostClass() && !code.proxyClass() {
		return false
	}
	j.usedHosts, j.usedProxies, j.retries, j.noCache = 1, 1, 0, false
	j.pause = max(j.pause, leastPause)
	return c.backoff(ctx, j, failed)
}

// failover goes to another host or proxy, as the failure demands.
func (c *Client) failover(j *job, w way, req Request, code Code, failed *Error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	moreHosts := !req.SingleHost && j.usedHosts < len(c.hosts)
	switch {
	case code.hostClass():
		if !moreHosts {
			return false
		}
		j.usedHosts++
		c.switchHost(w.index, failed.Code.String())
		return true
	case code.proxyClass():
		c.burn(w, failed)
		if j.usedProxies < c.proxies.count() {
			j.usedProxies++
			return true
		}
		if !moreHosts {
			return false
		}
		c.proxies.enter(0)
		j.usedProxies = 1
		j.usedHosts++
		c.switchHost(w.index, ProxiesFailed.String())
		return true
	}
	return false
}

func (c *Client) burn(w way, failed *Error) {
	before := c.proxies.active
	c.proxies.burn(w.proxy, c.o.Now())
	if c.proxies.active != before {
		c.o.Log.Warn("proxy switched", "from", before.String(), "to", c.proxies.active.String(), "reason", failed.Code.String())
	}
}

// backoff pauses for a random time, the longest of which doubles with every call.
func (c *Client) backoff(ctx context.Context, j *job, failed *Error) bool {
	if j.pause == 0 {
		j.pause = c.o.BackoffInit
	} else {
		j.pause *= 2
	}
	if c.o.BackoffMax > 0 {
		j.pause = min(j.pause, c.o.BackoffMax)
	}
	if j.pause <= 0 {
		return true
	}
	t := time.NewTimer(rand.N(j.pause))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		failed.Code, failed.Err = Canceled, context.Cause(ctx)
		return false
	}
}
