package builder

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle"
	"github.com/cvmfsbundle/cvmfsbundle/builder/fetch"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// damage rewrites the one file that a pattern below the site matches.
func (s *site) damage(t *testing.T, pattern string, change func([]byte) []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.dir, pattern))
	if err != nil || len(names) != 1 {
		t.Fatalf("%s: %v, %v", pattern, names, err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(names[0], change(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[(at+len(b))%len(b)] ^= 0x10
		return b
	}
}

func replace(from, to string) func([]byte) []byte {
	return func(b []byte) []byte { return []byte(strings.Replace(string(b), from, to, 1)) }
}

func TestDamage(t *testing.T) {
	rpm := cernDir + "/Packages/cvmfs-libs-2.13.1-1.el9.x86_64.rpm"
	for _, tt := range []struct {
		name, file string
		change     func([]byte) []byte
		code       exit.Code
		message    string
	}{
		{"package payload", rpm, flip(-100), exit.Digest, "package cvmfs-libs-2.13.1-1.el9.x86_64: fetch"},
		{"package header", rpm, flip(200), exit.Digest, "wrong sha256 checksum"},
		{"package cut", rpm, func(b []byte) []byte { return b[:len(b)-1] }, exit.Digest, "wrong sha256 checksum"},
		{"package longer", rpm, func(b []byte) []byte { return append(b, 0) }, exit.Unreachable, "the file is longer than announced"},
		{"package replaced", rpm, func(b []byte) []byte { return []byte("<html>") }, exit.Digest, "wrong sha256 checksum"},
		{"primary", cernDir + "/repodata/*-primary.xml.*", flip(100), exit.Digest, `repository "cern": fetch`},
		{"primary cut", cernDir + "/repodata/*-primary.xml.*", func(b []byte) []byte { return b[:50] }, exit.Digest, "wrong sha256 checksum"},
		{"repomd form", cernDir + "/repodata/repomd.xml", replace("</data>", "</dota>"), exit.Unreachable, "malformed XML"},
		{"repomd checksum", cernDir + "/repodata/repomd.xml", replace(`<checksum type="sha256">`, `<checksum type="sha256">0`), exit.Unreachable, "is not a sha256 checksum"},
		{"repomd md5", cernDir + "/repodata/repomd.xml", replace(`<checksum type="sha256">`, `<checksum type="md5">`), exit.Unreachable, `checksum type "md5" is not accepted`},
		{"repomd is a page", cernDir + "/repodata/repomd.xml", func([]byte) []byte { return []byte("<html><body>login</body></html>") }, exit.Unreachable, "the document is a <html>"},
		{"repomd size", cernDir + "/repodata/repomd.xml", replace(`<open-size>`, `<open-size>9999999`), exit.Unreachable, "is larger than"},
		{"repomd location", cernDir + "/repodata/repomd.xml", replace(`href="repodata`, `href="../repodata`), exit.Unreachable, "leaves the repository"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			s.damage(t, tt.file, tt.change)
			o := s.options(t, "none")
			err := Dist(t.Context(), o)
			if got := exit.CodeOf(err); got != tt.code || !strings.Contains(fmt.Sprint(err), tt.message) {
				t.Errorf("got %d, %v, want %d, %q", got, err, tt.code, tt.message)
			}
			absent(t, o.Output)
		})
	}
}

// TestRepomdAnyByte flips bytes of repomd.xml, for which nothing vouches: the tree is
// the same as without, or there is none.
func TestRepomdAnyByte(t *testing.T) {
	s := newSite(t)
	o := s.options(t, "none")
	if err := Dist(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	want := names(listing(t, o.Output))
	path := filepath.Join(s.dir, cernDir, "repodata/repomd.xml")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range testenv.Seeds(t, 20, 400) {
		rng := rand.New(rand.NewPCG(seed, 2))
		at, bit := rng.IntN(len(good)), byte(1)<<rng.IntN(8)
		bad := append([]byte(nil), good...)
		bad[at] ^= bit
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		o := s.options(t, "none")
		err := Dist(t.Context(), o)
		switch exit.CodeOf(err) {
		case exit.OK:
			if diff := cmp.Diff(names(listing(t, o.Output)), want); diff != "" {
				t.Errorf("seed %d, byte %d: %s", seed, at, diff)
			}
		case exit.Unreachable, exit.Digest:
			absent(t, o.Output)
		default:
			t.Errorf("seed %d, byte %d: got %v", seed, at, err)
		}
	}
}

// names strips what depends on the moment from a listing.
func names(lines []string) []string {
	for i, l := range lines {
		lines[i], _, _ = strings.Cut(l, " mtime ")
	}
	return lines
}

// TestStalling has a server that begins an answer and falls silent.
func TestStalling(t *testing.T) {
	s := newSite(t)
	release := make(chan struct{})
	files := http.FileServer(http.Dir(s.dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "fuse3-libs") {
			files.ServeHTTP(w, r)
			return
		}
		w.Write([]byte("begin"))
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	o := s.options(t, "none")
	o.Mirrors = s.mirrors(server.URL)
	o.Fetch = fetch.Options{SlowTime: 50 * time.Millisecond, SlowBytes: 10, Pause: time.Millisecond}
	err := Dist(t.Context(), o)
	if exit.CodeOf(err) != exit.Unreachable || !strings.Contains(fmt.Sprint(err), "the server is too slow") {
		t.Errorf("got %v", err)
	}
	absent(t, o.Output)
}

// TestCancel stops a build in its middle, as a signal does.
func TestCancel(t *testing.T) {
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	files := http.FileServer(http.Dir(s.dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".rpm") {
			cancel()
			<-r.Context().Done()
			return
		}
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	o := s.options(t, "none")
	o.Mirrors = s.mirrors(server.URL)
	if err := Dist(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	absent(t, o.Output)
}

// TestSecondMirror: the preferred server is gone, or serves something else.
func TestSecondMirror(t *testing.T) {
	s := newSite(t)
	for name, first := range map[string]http.HandlerFunc{
		"gone":   func(w http.ResponseWriter, r *http.Request) { http.Error(w, "gone", http.StatusGone) },
		"broken": func(w http.ResponseWriter, r *http.Request) { http.Error(w, "broken", http.StatusBadGateway) },
		"page":   func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>hello</html>")) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := httptest.NewServer(first)
			defer bad.Close()
			o := s.options(t, "none")
			o.Choice = mirrored(t, bad.URL, s.url)
			o.Mirrors = nil
			if err := Dist(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestOutputExists(t *testing.T) {
	s := newSite(t)
	o := s.options(t, "none")
	if err := os.Mkdir(o.Output, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Dist(t.Context(), o); exit.CodeOf(err) != exit.Output {
		t.Errorf("got %v", err)
	}
	o.Output = filepath.Join(o.Output, "no", "such", "place")
	if err := Dist(t.Context(), o); exit.CodeOf(err) != exit.Output {
		t.Errorf("got %v", err)
	}
}

// mirrored returns profile none, its repositories on two servers.
func mirrored(t *testing.T, first, second string) *profiles.Choice {
	t.Helper()
	set, err := profiles.Parse("profiles.toml", cvmfsbundle.Profiles)
	if err != nil {
		t.Fatal(err)
	}
	text := "schema = 1\n"
	for id, dir := range map[string]string{"cern": cernDir, "fuse": almaDir} {
		text += fmt.Sprintf("[repositories.%s]\nsources = [ { url = %q, mirrors = [ %q ] } ]\n", id, first+"/"+dir, second+"/"+dir)
	}
	if err := set.Overlay("two.toml", text); err != nil {
		t.Fatal(err)
	}
	c, err := set.Select("none", "rhel9-x86_64", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
