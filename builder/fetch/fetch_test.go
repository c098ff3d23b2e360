package fetch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

const content = "the content of a file"

// file describes content at the URLs.
func file(urls ...string) File {
	return File{
		Name: "file", URLs: urls, Size: int64(len(content)), Max: 100,
		Type: "sha256", Hex: fmt.Sprintf("%x", sha256.Sum256([]byte(content))), Hash: func() hash.Hash { return sha256.New() },
	}
}

// serve answers with handler and counts the requests.
func serve(t *testing.T, handler func(w http.ResponseWriter, r *http.Request, n int32)) (string, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(w, r, n.Add(1)) }))
	t.Cleanup(s.Close)
	return s.URL, &n
}

func client(t *testing.T) *Client {
	c := New(Options{Pause: time.Microsecond})
	t.Cleanup(c.Close)
	return c
}

func good(w http.ResponseWriter, r *http.Request, n int32) { w.Write([]byte(content)) }

func TestFile(t *testing.T) {
	url, _ := serve(t, good)
	path := filepath.Join(t.TempDir(), "x")
	from, sum, err := client(t).File(t.Context(), file(url+"/x"), path)
	if err != nil || from != url+"/x" || sum != sha256.Sum256([]byte(content)) {
		t.Errorf("got %q, %x, %v", from, sum, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFailures(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, *http.Request, int32) {
		return func(w http.ResponseWriter, r *http.Request, n int32) { w.WriteHeader(code) }
	}
	body := func(s string) func(http.ResponseWriter, *http.Request, int32) {
		return func(w http.ResponseWriter, r *http.Request, n int32) { w.Write([]byte(s)) }
	}
	for _, tt := range []struct {
		name    string
		handler func(http.ResponseWriter, *http.Request, int32)
		code    exit.Code
		message string
		asked   int32
	}{
		{"not found", status(404), exit.Unreachable, "the server answers 404 Not Found", 1},
		{"forbidden", status(403), exit.Unreachable, "403", 1},
		{"no content", status(204), exit.Unreachable, "204", 1},
		{"partial", status(206), exit.Unreachable, "206", 1},
		{"busy", status(503), exit.Unreachable, "503", 3},
		{"too many", status(429), exit.Unreachable, "429", 3},
		{"other content", body(strings.ToUpper(content)), exit.Digest, "wrong sha256 checksum", 1},
		{"shorter", body(content[1:]), exit.Digest, "wrong sha256 checksum", 1},
		{"longer", body(content + "x"), exit.Unreachable, "longer than announced", 1},
		{"endless", func(w http.ResponseWriter, r *http.Request, n int32) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, exit.Unreachable, "longer than announced", 1},
		{"cut off", func(w http.ResponseWriter, r *http.Request, n int32) {
			w.Header().Set("Content-Length", "21")
			w.Write([]byte(content[:5]))
		}, exit.Unreachable, "unexpected EOF", 3},
		{"aborted", func(w http.ResponseWriter, r *http.Request, n int32) { panic(http.ErrAbortHandler) }, exit.Unreachable, "EOF", 3},
		{"redirect loop", func(w http.ResponseWriter, r *http.Request, n int32) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, exit.Unreachable, "redirects", 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url, asked := serve(t, tt.handler)
			dir := t.TempDir()
			_, _, err := client(t).File(t.Context(), file(url), filepath.Join(dir, "x"))
			if exit.CodeOf(err) != tt.code || !strings.Contains(fmt.Sprint(err), tt.message) {
				t.Errorf("got %d, %v, want %d, %q", exit.CodeOf(err), err, tt.code, tt.message)
			}
			if asked.Load() != tt.asked {
				t.Errorf("asked %d times, want %d", asked.Load(), tt.asked)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestThirdTryAndMirror(t *testing.T) {
	url, asked := serve(t, func(w http.ResponseWriter, r *http.Request, n int32) {
		if n < 3 {
			w.WriteHeader(500)
			return
		}
		good(w, r, n)
	})
	if _, _, err := client(t).File(t.Context(), file(url), filepath.Join(t.TempDir(), "x")); err != nil || asked.Load() != 3 {
		t.Errorf("got %v after %d", err, asked.Load())
	}
	wrong, _ := serve(t, func(w http.ResponseWriter, r *http.Request, n int32) { w.Write([]byte("wrong")) })
	from, _, err := client(t).File(t.Context(), file(wrong, url), filepath.Join(t.TempDir(), "x"))
	if err != nil || from != url {
		t.Errorf("mirror: got %q, %v", from, err)
	}
}

// TestSlow: a server that sends a little now and then is given up, one that sends
// enough is not.
func TestSlow(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request, n int32) {
		for range content {
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(30 * time.Millisecond):
			}
		}
		<-r.Context().Done()
	})
	c := New(Options{Pause: time.Microsecond, Tries: 1, SlowTime: 100 * time.Millisecond, SlowBytes: 10})
	defer c.Close()
	if _, _, err := c.File(t.Context(), file(url), filepath.Join(t.TempDir(), "x")); !errors.Is(err, errSlow) {
		t.Errorf("got %v", err)
	}
	silent, _ := serve(t, func(w http.ResponseWriter, r *http.Request, n int32) { <-r.Context().Done() })
	if _, err := c.Get(t.Context(), []string{silent}, 100); !errors.Is(err, errSlow) {
		t.Errorf("no answer: got %v", err)
	}
}

func TestDowngradeRefused(t *testing.T) {
	plain, asked := serve(t, good)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain, http.StatusFound)
	}))
	defer secure.Close()
	c := client(t)
	c.http.Transport = secure.Client().Transport
	_, err := c.Get(t.Context(), []string{secure.URL}, 100)
	if err == nil || !strings.Contains(err.Error(), "redirect from https to http refused") || asked.Load() != 0 {
		t.Errorf("got %v, asked %d", err, asked.Load())
	}
}

func TestRedirectFollowed(t *testing.T) {
	to, _ := serve(t, good)
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request, n int32) { http.Redirect(w, r, to, http.StatusFound) })
	if got, err := client(t).Get(t.Context(), []string{url}, 100); err != nil || string(got) != content {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestCompressedArrivesAsItIs(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request, n int32) {
		if r.Header.Get("Accept-Encoding") == "gzip" {
			t.Error("asks for gzip")
		}
		w.Header().Set("Content-Encoding", "x-gzip")
		w.Write([]byte("\x1f\x8b..."))
	})
	if got, err := client(t).Get(t.Context(), []string{url}, 100); err != nil || string(got) != "\x1f\x8b..." {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestCancel(t *testing.T) {
	url, asked := serve(t, func(w http.ResponseWriter, r *http.Request, n int32) { <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for asked.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := client(t).Get(ctx, []string{url, url}, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestUnwritable(t *testing.T) {
	url, asked := serve(t, good)
	_, _, err := client(t).File(t.Context(), file(url, url), filepath.Join(t.TempDir(), "no", "x"))
	if exit.CodeOf(err) != exit.Output || asked.Load() != 1 {
		t.Errorf("got %v after %d", err, asked.Load())
	}
}

func TestPasswordIsNotShown(t *testing.T) {
	_, err := client(t).Get(t.Context(), []string{"http://me:secret@127.0.0.1:1/x"}, 100)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// TestProgress: what a bar is told adds up, tries that failed taken back.
func TestProgress(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request, n int32) {
		if n == 1 {
			w.Header().Set("Content-Length", "21")
			w.Write([]byte(content[:7]))
			return
		}
		good(w, r, n)
	})
	p := &record{}
	c := New(Options{Pause: time.Microsecond, Progress: p})
	defer c.Close()
	if _, _, err := c.File(t.Context(), file(url), filepath.Join(t.TempDir(), "x")); err != nil {
		t.Fatal(err)
	}
	if p.bytes != len(content) || p.resets != 2 || p.done != 1 {
		t.Errorf("got %+v", p)
	}
}

type record struct {
	mu                  sync.Mutex
	bytes, resets, done int
}

func (r *record) Start(string, int64) Bar { return r }

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes += len(p)
	return len(p), nil
}

func (r *record) Reset() { r.bytes, r.resets = 0, r.resets+1 }
func (r *record) Done()  { r.done++ }

// TestBars draws on something that is no terminal: nothing may hang.
func TestBars(t *testing.T) {
	url, _ := serve(t, good)
	missing, _ := serve(t, func(w http.ResponseWriter, r *http.Request, n int32) { w.WriteHeader(404) })
	bars := NewBars(t.Output())
	c := New(Options{Pause: time.Microsecond, Progress: bars})
	defer c.Close()
	for _, u := range []string{url, missing} {
		f := file(u)
		c.File(t.Context(), f, filepath.Join(t.TempDir(), "x"))
		f.Size = -1
		c.File(t.Context(), f, filepath.Join(t.TempDir(), "x"))
	}
	bars.Close()
}
