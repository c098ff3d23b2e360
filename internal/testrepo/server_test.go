package testrepo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func get(t *testing.T, c *http.Client, url string) (int, []byte, error) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

func TestServer(t *testing.T) {
	p := publish(t, everything())
	s := Serve(t, p)
	want, err := os.ReadFile(filepath.Join(p.Dir, p.Root.Path()))
	if err != nil {
		t.Fatal(err)
	}
	url := s.RepoURL(p.FQRN) + "/" + p.Root.Path()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, tt := range []struct {
		name  string
		fault HTTPFault
		check func(code int, body []byte, err error) bool
	}{
		{"none", nil, func(code int, b []byte, err error) bool { return code == 200 && bytes.Equal(b, want) && err == nil }},
		{"status", Status(503), func(code int, _ []byte, err error) bool { return code == 503 && err == nil }},
		{"cut", CutAfter(10), func(_ int, b []byte, err error) bool { return len(b) == 10 && errors.Is(err, io.ErrUnexpectedEOF) }},
		{"flip", FlipByte(-1), func(_ int, b []byte, err error) bool {
			return len(b) == len(want) && !bytes.Equal(b, want) && bytes.Equal(b[:len(b)-1], want[:len(b)-1]) && err == nil
		}},
		{"one byte", OneByte(), func(_ int, b []byte, err error) bool { return bytes.Equal(b, want) && err == nil }},
		{"short length", ContentLength(5), func(_ int, b []byte, err error) bool { return len(b) == 5 && err == nil }},
		{"garbage", Garbage(), func(_ int, _ []byte, err error) bool { return err != nil }},
		{"healed", nil, func(code int, b []byte, err error) bool { return code == 200 && bytes.Equal(b, want) && err == nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.fault != nil {
				s.Inject(p.Root.Path(), 1, tt.fault)
			}
			if code, b, err := get(t, c, url); !tt.check(code, b, err) {
				t.Errorf("got status %d, %d of %d bytes, %v", code, len(b), len(want), err)
			}
		})
	}
	if got := s.Requests(p.Root.Path()); got != 8 {
		t.Errorf("%d requests counted, want 8", got)
	}
	if code, _, _ := get(t, c, s.RepoURL(p.FQRN)+"/../../../etc/passwd"); code != 404 {
		t.Errorf("status %d outside the tree, want 404", code)
	}
	if code, _, _ := get(t, c, s.RepoURL(p.FQRN)+"/data"); code != 404 {
		t.Errorf("status %d for a directory, want 404", code)
	}
}

func TestServerHoldsAnswers(t *testing.T) {
	p := publish(t, everything())
	s := Serve(t, p)
	url := s.RepoURL(p.FQRN) + "/.cvmfspublished"
	gate := make(chan struct{})
	s.Inject("/.cvmfspublished", 1, Until(gate))
	done := make(chan int)
	go func() {
		resp, err := http.Get(url)
		if err != nil {
			done <- 0
			return
		}
		resp.Body.Close()
		done <- resp.StatusCode
	}()
	for s.Requests("/.cvmfspublished") == 0 {
		time.Sleep(time.Millisecond)
	}
	select {
	case code := <-done:
		t.Fatalf("answered %d before it was let", code)
	default:
	}
	close(gate)
	if code := <-done; code != 200 {
		t.Errorf("status %d, want 200", code)
	}

	for name, f := range map[string]HTTPFault{"hang": Hang(), "hang after": HangAfter(3), "endless": Endless()} {
		s.Inject("/.cvmfspublished", 1, f)
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		before := s.Requests("/.cvmfspublished")
		go func() {
			for s.Requests("/.cvmfspublished") == before {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the client to have given up", name, err)
		}
	}
}

func TestProxy(t *testing.T) {
	p := publish(t, everything())
	s := Serve(t, p)
	x := StartProxy(t)
	proxyURL, err := url.Parse(x.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxyURL), DisableKeepAlives: true}}
	target := s.RepoURL(p.FQRN) + "/.cvmfswhitelist"
	expect := func(what string, want int) {
		t.Helper()
		if code, _, err := get(t, c, target); code != want || err != nil {
			t.Errorf("%s: status %d, %v, want %d", what, code, err, want)
		}
	}
	expect("forward", 200)
	x.RequireAuth("Basic dTpw")
	expect("no credentials", 407)
	x.RequireAuth("")
	x.Answer(502)
	expect("told to fail", 502)
	x.Answer(0)
	s.Inject("", 1, CutAfter(10))
	if _, _, err := get(t, c, target); err == nil {
		t.Error("a cut answer came through whole")
	}
	if x.Requests() != 4 {
		t.Errorf("%d requests, want 4", x.Requests())
	}
	x.Kill()
	if _, _, err := get(t, c, target); err == nil {
		t.Error("a killed proxy answers")
	}
}
