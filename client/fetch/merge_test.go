package fetch

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

func TestMerge(t *testing.T) {
	pub, server := publish(t)
	h := hashOf(t, pub.Objects("big")[0])
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
	gate := make(chan struct{})
	server.Inject("/"+h.Path(object.File), 1, testrepo.Until(gate))
	var wg sync.WaitGroup
	const n = 50
	gone, cancel := context.WithCancel(t.Context())
	for i := range n {
		wg.Go(func() {
			ctx := t.Context()
			if i%2 == 0 {
				ctx = gone
			}
			f, err := s.Object(ctx, h, object.File, object.Zlib, 3<<20, "big file")
			if i%2 == 0 {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("canceled: %v", err)
				}
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if object.SHA1.Sum(bytesOf(t, f)).IsNull() || f.Size() != 3<<20 {
				t.Error("wrong content")
			}
		})
	}
	waitFor(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, fl := range s.flights {
			return fl.waiters == n
		}
		return false
	})
	cancel()
	waitFor(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, fl := range s.flights {
			return fl.waiters == n/2
		}
		return false
	})
	close(gate)
	wg.Wait()
	if got := server.Requests("/" + h.Path(object.File)); got != 1 {
		t.Errorf("%d requests for %d readers, want 1", got, n)
	}
	s.leftovers(t)
	if len(s.flights) != 0 {
		t.Errorf("%d downloads are still known", len(s.flights))
	}
}

// waitFor waits for something that happens soon.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for !ok() {
		if t.Context().Err() != nil {
			t.Fatal("it does not happen")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestDesertedDownloadEnds(t *testing.T) {
	pub, server := publish(t)
	h := hashOf(t, pub.Objects("big")[0])
	s := newSetup(t, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
	server.Inject("/"+h.Path(object.File), 1, testrepo.HangAfter(1000))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Object(ctx, h, object.File, object.Zlib, -1, "big file")
		done <- err
	}()
	waitFor(t, func() bool { return server.Requests("/"+h.Path(object.File)) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.Close() // returns because the download was ended
	s.leftovers(t)
}
