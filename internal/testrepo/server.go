package testrepo

import (
	"errors"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
)

// Server serves repositories on loopback, at /cvmfs/FQRN/ as a Stratum 1 does, and
// counts what is asked for. All methods are safe for concurrent use.
type Server struct {
	URL string // http://127.0.0.1:PORT

	http     *http.Server
	listener net.Listener
	released chan struct{} // closed by Close: ends what hangs

	mu     sync.Mutex
	roots  map[string]http.Dir // by path, "/cvmfs/FQRN"
	counts map[string]int
	faults []*injected
}

// NewServer starts a server that serves nothing yet.
func NewServer() (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{
		URL: "http://" + l.Addr().String(), listener: l, released: make(chan struct{}),
		roots: map[string]http.Dir{}, counts: map[string]int{},
	}
	s.http = &http.Server{Handler: s}
	go s.http.Serve(l)
	return s, nil
}

// Serve starts a server of the publications for the time of the test.
func Serve(t testing.TB, pubs ...*Published) *Server {
	t.Helper()
	s, err := NewServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, p := range pubs {
		s.Add(p.FQRN, p.Dir)
	}
	return s
}

// Add serves the tree dir as the repository fqrn.
func (s *Server) Add(fqrn, dir string) { s.AddPath("/cvmfs/"+fqrn, dir) }

// AddPath serves the tree dir below another path: for external files.
func (s *Server) AddPath(prefix, dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roots[strings.TrimSuffix(path.Clean(prefix), "/")] = http.Dir(dir)
}

// RepoURL returns the URL of a repository.
func (s *Server) RepoURL(fqrn string) string { return s.URL + "/cvmfs/" + fqrn }

// ConfigURL returns what CVMFS_SERVER_URL must be.
func (s *Server) ConfigURL() string { return s.URL + "/cvmfs/@fqrn@" }

// Close ends the server and every connection.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.released:
		return nil
	default:
	}
	close(s.released)
	return s.http.Close()
}

// Requests returns how often a path has been asked for: an absolute path
// ("/cvmfs/FQRN/.cvmfspublished"), or its end ("/.cvmfspublished").
func (s *Server) Requests(suffix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for p, c := range s.counts {
		if strings.HasSuffix(p, suffix) {
			n += c
		}
	}
	return n
}

// Counts returns how often each path has been asked for.
func (s *Server) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.counts))
	for p, c := range s.counts {
		out[p] = c
	}
	return out
}

// ResetCounts forgets the requests so far.
func (s *Server) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault, root, name := s.look(r)
	if fault != nil {
		fault(w, r, s.reader(root, name), s.released)
		return
	}
	f, size, err := s.reader(root, name)()
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	serveContent(w, r, f, size)
}

// look counts the request and finds what it is for.
func (s *Server) look(r *http.Request) (HTTPFault, http.Dir, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := path.Clean(r.URL.Path)
	s.counts[p]++
	var best string
	var root http.Dir
	for prefix, dir := range s.roots {
		if strings.HasPrefix(p, prefix+"/") && len(prefix) >= len(best) {
			best, root = prefix, dir
		}
	}
	return s.fault(p), root, strings.TrimPrefix(p, best)
}

// reader returns the opener of a regular file.
func (s *Server) reader(root http.Dir, name string) opener {
	return func() (http.File, int64, error) {
		if root == "" {
			return nil, 0, http.ErrMissingFile
		}
		f, err := root.Open(name)
		if err != nil {
			return nil, 0, err
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = http.ErrMissingFile
		}
		if err != nil {
			return nil, 0, errors.Join(err, f.Close())
		}
		return f, info.Size(), nil
	}
}
