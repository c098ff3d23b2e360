package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/stratum"
)

// flightKey is what makes two downloads the same.
type flightKey struct {
	hash        object.Hash
	suffix      object.Suffix
	compression object.Compression
	size, limit int64
}

// flight is a download in progress. It goes on while anybody waits for it.
type flight struct {
	waiters int // guarded by Fetcher.mu
	cancel  context.CancelFunc
	done    chan struct{}
	content *content // after done; the flight's own reference, until the last waiter has left
	err     error    // after done
}

// join waits for the download of w, which it starts unless it is in progress.
func (f *Fetcher) join(ctx context.Context, w want) (*File, error) {
	key := flightKey{w.hash, w.suffix, w.compression, w.size, w.limit}
	f.mu.Lock()
	fl := f.flights[key]
	if fl == nil {
		run, cancel := context.WithCancel(context.WithoutCancel(ctx))
		fl = &flight{cancel: cancel, done: make(chan struct{})}
		f.flights[key] = fl
		f.running.Go(func() { f.fly(run, fl, w) })
	}
	fl.waiters++
	f.mu.Unlock()
	defer f.leave(key, fl)
	select {
	case <-fl.done:
		if fl.err != nil {
			return nil, fl.err
		}
		return fl.content.file(), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// leave takes a waiter away. The last one ends the flight.
func (f *Fetcher) leave(key flightKey, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.waiters--; fl.waiters > 0 {
		return
	}
	if f.flights[key] == fl {
		delete(f.flights, key)
	}
	fl.cancel()
	// Nobody joins any more. The content is let go by whoever sees both that it
	// has landed and that it is deserted.
	select {
	case <-fl.done:
		fl.drop()
	default:
	}
}

func (fl *flight) drop() {
	if fl.content != nil {
		fl.content.release()
		fl.content = nil
	}
}

func (f *Fetcher) fly(ctx context.Context, fl *flight, w want) {
	content, err := f.download(ctx, w)
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.content, fl.err = content, err
	if fl.waiters == 0 {
		fl.drop()
	}
	close(fl.done)
}

// download gets the object into the cache, or past it when that has no room.
func (f *Fetcher) download(ctx context.Context, w want) (*content, error) {
	// It may have arrived between the look into the cache and the start.
	if c, err := f.cached(w); err == nil {
		return c, nil
	}
	content, err := f.transfer(ctx, w, f.intoCache)
	var failed *cacheError
	if err == nil || ctx.Err() != nil || !errors.As(err, &failed) {
		return content, err
	}
	f.log.Warn("object is kept outside the cache", "hash", w.hash.String(), "path", f.cache.Dir(), "error", failed.err)
	return f.transfer(ctx, w, f.intoSpill)
}

// cacheError says that the cache could not take an object.
type cacheError struct{ err error }

func (e *cacheError) Error() string { return fmt.Sprintf("write to cache: %v", e.err) }

func (e *cacheError) Unwrap() error { return e.err }

// target writes the object w from its stored bytes and returns its content.
type target func(w want, body io.Reader) (*content, error)

func (f *Fetcher) transfer(ctx context.Context, w want, into target) (*content, error) {
	var got *content
	req := stratum.Request{Path: w.path(), Label: w.label, Limit: w.spec().MaxStored() + 1}
	err := f.stratum.Fetch(ctx, req, func(body io.Reader) (err error) {
		got, err = into(w, body)
		return err
	})
	return got, err
}

// intoCache writes into the cache.
func (f *Fetcher) intoCache(w want, body io.Reader) (*content, error) {
	x, err := f.cache.Create(w.verify)
	if err != nil {
		return nil, &cacheError{err}
	}
	if err := fill(x, w, body); err != nil {
		x.Abort()
		var failed *object.WriteError
		if errors.As(err, &failed) {
			err = &cacheError{failed.Err}
		}
		return nil, err
	}
	file, size, err := x.Commit(w.hash)
	if err != nil {
		return nil, &cacheError{err}
	}
	return newContent(file, size, nil), nil
}

// intoSpill writes to a place without a name.
func (f *Fetcher) intoSpill(w want, body io.Reader) (*content, error) {
	s, err := f.spill.create(w.size)
	if err != nil {
		return nil, err
	}
	if err := fill(s, w, body); err != nil {
		s.close()
		return nil, err
	}
	return newContent(s.f, s.size, s.release), nil
}

// fill writes the content of w to dst.
func fill(dst io.Writer, w want, body io.Reader) error {
	n, err := object.Copy(dst, body, w.spec())
	if err != nil {
		return err
	}
	if w.size >= 0 && n != w.size {
		return fmt.Errorf("%w %v: %d bytes of content, want %d", object.ErrCorrupt, w.hash, n, w.size)
	}
	return nil
}
