package testrepo

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

type opener func() (http.File, int64, error)

// An HTTPFault answers a request badly.
type HTTPFault func(w http.ResponseWriter, r *http.Request, open opener, released <-chan struct{})

type injected struct {
	match func(path string) bool
	fault HTTPFault
	left  int // times it still applies; below zero: always
}

// Inject makes the requests whose path ends in suffix fail, the next times of them;
// times 0 means all. "" is every path. The fault injected last comes first.
func (s *Server) Inject(suffix string, times int, f HTTPFault) {
	s.inject(func(p string) bool { return strings.HasSuffix(p, suffix) }, times, f)
}

// InjectRandom makes about one request in n fail, by one of faults; which ones
// depends on seed and the order of the requests.
func (s *Server) InjectRandom(seed uint64, n int, faults ...HTTPFault) {
	rng := rand.New(rand.NewPCG(seed, 4)) // used under the server's lock
	for i, f := range faults {
		s.inject(func(string) bool { return rng.IntN(n*len(faults)-i) == 0 }, 0, f)
	}
}

func (s *Server) inject(match func(string) bool, times int, f HTTPFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if times == 0 {
		times = -1
	}
	s.faults = append(s.faults, &injected{match, f, times})
}

// Heal takes back all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault returns the fault for a request, nil for none. The lock is held.
func (s *Server) fault(path string) HTTPFault {
	for i := len(s.faults) - 1; i >= 0; i-- {
		if f := s.faults[i]; f.left != 0 && f.match(path) {
			f.left--
			return f.fault
		}
	}
	return nil
}

func serveContent(w http.ResponseWriter, r *http.Request, f http.File, _ int64) {
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, f)
}

// Status answers with a status code and a short text.
func Status(code int) HTTPFault {
	return func(w http.ResponseWriter, r *http.Request, _ opener, _ <-chan struct{}) {
		http.Error(w, http.StatusText(code), code)
	}
}

// Redirect sends the client to another URL; the request's path is appended to it.
func Redirect(to string) HTTPFault {
	return func(w http.ResponseWriter, r *http.Request, _ opener, _ <-chan struct{}) {
		http.Redirect(w, r, to+r.URL.Path, http.StatusFound)
	}
}

// Until holds the answer back until gate is closed (or the client or the server
// gives up), and then answers well.
func Until(gate <-chan struct{}) HTTPFault {
	return func(w http.ResponseWriter, r *http.Request, open opener, released <-chan struct{}) {
		select {
		case <-gate:
		case <-released:
			return
		case <-r.Context().Done():
			return
		}
		f, size, err := open()
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		serveContent(w, r, f, size)
	}
}

// Hang accepts the request and never answers.
func Hang() HTTPFault { return Until(nil) }

// CutAfter announces the whole length and closes the connection after n bytes of
// the body.
func CutAfter(n int64) HTTPFault {
	return raw(func(b *body) {
		b.header(b.size)
		b.copy(n)
	})
}

// HangAfter sends n bytes of the body, then nothing, and keeps the connection.
func HangAfter(n int64) HTTPFault {
	return raw(func(b *body) {
		b.header(b.size)
		b.copy(n)
		b.hang()
	})
}

// FlipByte inverts one bit of the byte at offset, counted from the end when it is
// negative.
func FlipByte(offset int64) HTTPFault {
	return raw(func(b *body) {
		b.header(b.size)
		at := offset
		if at < 0 {
			at += b.size
		}
		b.copy(at)
		var c [1]byte
		if _, err := io.ReadFull(b.file, c[:]); err == nil {
			b.conn.Write([]byte{c[0] ^ 0x40})
		}
		b.copy(b.size)
	})
}

// OneByte sends the body a byte at a time.
func OneByte() HTTPFault {
	return raw(func(b *body) {
		b.header(b.size)
		for range b.size {
			b.copy(1)
		}
	})
}

// ContentLength announces n bytes and sends the body as it is, then closes.
func ContentLength(n int64) HTTPFault {
	return raw(func(b *body) {
		b.header(n)
		b.copy(b.size)
	})
}

// Endless announces no length and sends the body, then zeros until the client
// gives up.
func Endless() HTTPFault {
	return raw(func(b *body) {
		io.WriteString(b.conn, "HTTP/1.0 200 OK\r\n\r\n")
		b.copy(b.size)
		io.Copy(b.conn, zeroReader{})
	})
}

// Garbage answers with something that is not HTTP.
func Garbage() HTTPFault {
	return raw(func(b *body) { io.WriteString(b.conn, "\x00\x01 this is no answer\r\n") })
}

// body is an answer that is written by hand.
type body struct {
	file     http.File
	size     int64
	conn     io.Writer
	released <-chan struct{}
	gone     <-chan struct{}
}

func (b *body) header(length int64) {
	io.WriteString(b.conn, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\nContent-Length: "+
		strconv.FormatInt(length, 10)+"\r\n\r\n")
}

func (b *body) copy(n int64) { io.CopyN(b.conn, b.file, n) }

// hang waits for the client or the server to give up.
func (b *body) hang() {
	select {
	case <-b.released:
	case <-b.gone:
	}
}

// raw takes the connection over; it is closed when answer returns.
func raw(answer func(*body)) HTTPFault {
	return func(w http.ResponseWriter, r *http.Request, open opener, released <-chan struct{}) {
		f, size, err := open()
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			http.Error(w, fmt.Sprint(err), http.StatusInternalServerError)
			return
		}
		defer conn.Close()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			io.Copy(io.Discard, conn)
		}()
		go func() { // Close of the server does not know this connection
			select {
			case <-released:
				conn.Close()
			case <-gone:
			}
		}()
		answer(&body{f, size, conn, released, gone})
	}
}
