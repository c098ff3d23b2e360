package stratum

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

func TestHostFailover(t *testing.T) {
	for name, bad := range map[string]http.HandlerFunc{"404": status(404), "500": status(500), "hangs": hangs, "cuts": cuts, "stops": stops} {
		t.Run(name, func(t *testing.T) {
			broken, good := newServer(t, bad), newServer(t, says("hello"))
			c := newClient(t, Options{Hosts: []string{deadURL(t), broken.URL, good.URL}, Timeout: 500 * time.Millisecond, LowSpeedLimit: 1024})
			for range 2 {
				if got, err := c.Get(t.Context(), Request{Path: "x"}); err != nil || string(got) != "hello" {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if n := len(broken.requests()); n != 1 {
				t.Errorf("the broken host was asked %d times, want once", n)
			}
			if _, active := c.Hosts(); active != 2 {
				t.Errorf("host %d is active", active)
			}
		})
	}
	t.Run("single host", func(t *testing.T) {
		good := newServer(t, says("hello"))
		c := newClient(t, Options{Hosts: []string{deadURL(t), good.URL}})
		if _, err := c.Get(t.Context(), Request{Path: "x", SingleHost: true}); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		now := time.Now()
		a, b := newServer(t, status(500)), newServer(t, says("hello"))
		c := newClient(t, Options{Hosts: []string{a.URL, b.URL}, HostResetAfter: time.Minute, Now: func() time.Time { return now }})
		for i, want := range []int{1, 1, 2} {
			if i == 2 {
				now = now.Add(time.Minute)
			}
			if _, err := c.Get(t.Context(), Request{Path: "x"}); err != nil || len(a.requests()) != want {
				t.Errorf("request %d: %v, first host asked %d times, want %d", i, err, len(a.requests()), want)
			}
		}
	})
}

func TestSameURLRetry(t *testing.T) {
	var s *server
	s = newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if len(s.requests()) < 3 {
			cuts(w, r)
		}
		io.WriteString(w, "hello")
	})
	c := newClient(t, Options{Hosts: []string{s.URL}, MaxRetries: 2, BackoffInit: time.Millisecond, BackoffMax: 2 * time.Millisecond})
	if got, err := c.Get(t.Context(), Request{Path: "x"}); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestCorruptIsAskedForAgain(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cache-Control") == "no-cache" && r.Header.Get("Pragma") == "no-cache" {
			io.WriteString(w, "hello")
			return
		}
		io.WriteString(w, "hexxo")
	})
	always := newServer(t, says("hexxo"))
	sink := func(body io.Reader) error {
		_, err := object.Copy(io.Discard, body, object.Spec{Hash: object.SHA1.Sum([]byte("hello")), Compression: object.Stored})
		return err
	}
	c := newClient(t, Options{Hosts: []string{s.URL}})
	if err := c.Fetch(t.Context(), Request{Path: "x"}, sink); err != nil || len(s.requests()) != 2 {
		t.Errorf("%v after %d requests", err, len(s.requests()))
	}
	c = newClient(t, Options{Hosts: []string{always.URL, s.URL}})
	if err := c.Fetch(t.Context(), Request{Path: "x"}, sink); err != nil || len(always.requests()) != 2 {
		t.Errorf("%v after %d requests of the bad host", err, len(always.requests()))
	}
	c = newClient(t, Options{Hosts: []string{always.URL}})
	err := c.Fetch(t.Context(), Request{Path: "x"}, sink)
	var d *object.DigestError
	if !errors.Is(err, ErrCorrupt) || !errors.As(err, &d) {
		t.Errorf("got %v, want a digest error", err)
	}
}

func TestSinkErrorEndsTheRequest(t *testing.T) {
	s := newServer(t, says("hello"))
	full := errors.New("disk full")
	err := newClient(t, Options{Hosts: []string{s.URL, s.URL}}).Fetch(t.Context(), Request{Path: "x"}, func(io.Reader) error { return full })
	var e *Error
	if !errors.As(err, &e) || e.Code != LocalIO || !errors.Is(err, full) || e.Attempts != 1 {
		t.Errorf("got %v", err)
	}
}

func TestFailoverIndefinitely(t *testing.T) {
	var s *server
	s = newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if len(s.requests()) < 4 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		io.WriteString(w, "hello")
	})
	o := Options{Hosts: []string{s.URL}, FailoverIndefinitely: true, BackoffMax: time.Millisecond}
	if got, err := newClient(t, o).Get(t.Context(), Request{Path: "x"}); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newClient(t, o).Get(ctx, Request{Path: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
