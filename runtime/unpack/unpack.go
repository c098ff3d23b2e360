// Package unpack finds the place where a bundle's tree lies, and puts it there
// when it does not yet.
//
// # Layout
//
// The unpack directory ("base") is .cvmfsexec or .singcvmfs beside the bundle, or
// another candidate (see below):
//
//	BASE/<ID>/dist/...     the tree, complete or absent
//	BASE/<ID>/log       -> ../log
//	BASE/dist           -> <ID>/dist, of the bundle started last: for people
//	BASE/var/lib/cvmfs     cache           } the state: shared by all IDs,
//	BASE/var/run/cvmfs     sockets         } kept when a bundle is replaced;
//	BASE/cvmfs             mount points    } dist/var/lib/cvmfs and so on
//	BASE/log                               } in each tree are links to it
//	BASE/.new-*, .old-*    a tree being made, one being removed
//
// A tree is written to a new name, checked against the manifest and renamed, so
// simultaneous first starts on any number of machines need no lock: who comes
// second throws his away. (On local file systems they take turns, which saves
// work but decides nothing.)
//
// # Candidates
//
// In order: $CVMFSEXEC_DIR; beside the bundle; then a directory named
// cvmfsexec-UID (singcvmfs-UID) in $XDG_RUNTIME_DIR, $TMPDIR, /tmp and /dev/shm.
// A candidate is passed over when it cannot be made or written, is full, does not
// allow execution, or is not trusted; all but the first are told in one line.
//
// # Trust
//
// The ID is public and anybody can make a directory of that name first. So base
// and ID directory must be real directories that belong to the caller, to root or
// to the owner of the bundle file, and nobody else may write to them. What is
// checked is the open descriptor, and what is below is reached through it
// ([Place.Root]). The directories in shared places must be the caller's own. Only a base
// that belongs to the caller is written to; in any other a complete tree is used
// as it is and the state lies with the next candidate that can be written.
//
// The place beside the bundle may lie in a directory in which others can rename
// things: they could replace the bundle as well.
package unpack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
)

// DirVar is the environment variable that names the unpack directory.
const DirVar = "CVMFSEXEC_DIR"

// ErrNoExec is wrapped when the only thing wrong with some candidate was that
// its file system is mounted noexec.
var ErrNoExec = errors.New("mounted noexec")

func errNoExec() error { return fmt.Errorf("its file system is %w", ErrNoExec) }

// Options say which bundle is wanted and what may be done for it.
type Options struct {
	File        *os.File            // the bundle, open for reading
	Path        string              // its path, links resolved
	Getenv      func(string) string // nil: os.Getenv
	Warn        func(line string)   // gets a line for each candidate passed over; nil: nobody
	AllowNoExec bool                // when nothing else is left, take a place that is mounted noexec
}

// Place is where a bundle's tree lies.
type Place struct {
	ID      payload.ID
	Base    string   // the unpack directory, absolute
	Tree    string   // BASE/<ID>
	Dist    string   // BASE/<ID>/dist
	State   string   // has var/lib/cvmfs, var/run/cvmfs, cvmfs and log and is the caller's; BASE, unless that belongs to another
	Fresh   bool     // the tree has been unpacked just now
	NoExec  bool     // its file system is mounted noexec (only with Options.AllowNoExec)
	TidyDue bool     // [Tidy] should be called when there is time
	Root    *os.File // the ID directory (O_PATH), the descriptor that was checked
}

// Close closes the descriptor.
func (p *Place) Close() error { return p.Root.Close() }

// Cache returns the cache directory of the state.
func (p *Place) Cache() string { return filepath.Join(p.State, "var/lib/cvmfs") }

// Run returns the directory of the state for sockets and pid files.
func (p *Place) Run() string { return filepath.Join(p.State, "var/run/cvmfs") }

// Log returns the log directory of the state.
func (p *Place) Log() string { return filepath.Join(p.State, "log") }

// Ensure returns the place of the bundle's tree and unpacks it when it is nowhere
// yet. A start that finds it reads 64 bytes of the bundle, opens two directories
// and stats a few names.
//
// Damage of the bundle wraps [payload.ErrCorrupt] or [payload.ErrNotBundle] and
// ends the search; when no candidate can be used the error has [exit.Cache],
// names each with its reason, and wraps [ErrNoExec] if one was only noexec. In
// every case nothing but complete trees is left behind.
func Ensure(ctx context.Context, o Options) (*Place, error) {
	s, err := newSearch(o)
	if err != nil {
		return nil, err
	}
	var noexec *candidate
	for i, c := range s.candidates {
		p, err := s.try(ctx, c, makeExec)
		if err == nil {
			return p, nil
		}
		if final(ctx, err) {
			return nil, err
		}
		if errors.Is(err, ErrNoExec) && noexec == nil {
			noexec = &s.candidates[i]
		}
		s.refuse(c, err)
	}
	if noexec != nil && o.AllowNoExec {
		p, err := s.try(ctx, *noexec, makeAnyway)
		if err == nil || final(ctx, err) {
			return p, err
		}
		s.refuse(*noexec, err)
	}
	return nil, s.nowhere("nowhere to unpack the bundle")
}

// final tells errors that another place does not help.
func final(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, payload.ErrCorrupt) || errors.Is(err, payload.ErrNotBundle)
}

// search is one call of Ensure or Where.
type search struct {
	Options
	candidates []candidate
	owners     owners
	trailer    payload.Trailer
	size       int64
	refused    []error
	bundle     *payload.Bundle // nil until something must be unpacked
}

func newSearch(o Options) (*search, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(o.File.Fd()), &st); err != nil {
		return nil, fmt.Errorf("stat %q: %w", o.Path, err)
	}
	t, err := payload.ReadTrailer(o.File, st.Size)
	if err != nil {
		return nil, err
	}
	self := uint32(os.Geteuid())
	c, err := candidates(o, t.Kind, self)
	if err != nil {
		return nil, err
	}
	return &search{Options: o, candidates: c, owners: owners{self, st.Uid}, trailer: t, size: st.Size}, nil
}

// try returns the tree in c, unpacking it if that is possible there.
func (s *search) try(ctx context.Context, c candidate, how opening) (*Place, error) {
	b, err := s.open(c, how)
	if err != nil {
		return nil, err
	}
	defer b.close()
	if b.noexec() && how != makeAnyway {
		return nil, errNoExec()
	}
	fresh := false
	tree, err := b.openTree(s.trailer.ID)
	if errors.Is(err, unix.ENOENT) {
		tree, fresh, err = s.unpack(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	p := &Place{ID: s.trailer.ID, Base: b.path, Fresh: fresh, NoExec: b.noexec(), Root: tree.file}
	p.Tree = filepath.Join(p.Base, p.ID.String())
	p.Dist = filepath.Join(p.Tree, "dist")
	if err := s.settle(p, b, tree); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// settle does what every start does to a complete tree.
func (s *search) settle(p *Place, b *base, tree *dir) error {
	if !b.ours() {
		state, err := s.stateElsewhere(b)
		p.State = state
		return err
	}
	p.State = b.path
	if err := b.makeState(); err != nil {
		return err
	}
	b.show(p.ID)
	p.TidyDue = p.Fresh || b.touch(p.ID, tree)
	return nil
}

// stateElsewhere returns the first candidate that is the caller's own and can hold
// the state.
func (s *search) stateElsewhere(not *base) (string, error) {
	for _, c := range s.candidates {
		if c.path == not.path {
			continue
		}
		b, err := s.open(c, makeAnyway)
		if err == nil {
			if err = b.writable(); err == nil {
				err = b.makeState()
			}
			b.close()
		}
		if err == nil {
			return b.path, nil
		}
		s.refuse(c, err)
	}
	return "", s.nowhere(fmt.Sprintf("the bundle is unpacked in %q, which is not ours, and there is nowhere to put cache and logs", not.path))
}

// refuse notes why c is not used and says so, unless that is ordinary: a place
// where one may not write, or which is not there.
func (s *search) refuse(c candidate, err error) {
	s.refused = append(s.refused, fmt.Errorf("%q: %w", c.path, err))
	var errno syscall.Errno
	if errors.As(err, &errno) && (errno == unix.EACCES || errno == unix.EPERM || errno == unix.EROFS || errno == unix.ENOENT) {
		return
	}
	s.Warn(fmt.Sprintf("not using %q: %v", c.path, err))
}

// nowhere is the error of a search that found nothing.
func (s *search) nowhere(what string) error {
	var why []string
	for _, err := range s.refused {
		why = append(why, err.Error())
	}
	err := &refusal{text: what + ": " + strings.Join(why, "; "), causes: s.refused}
	return (&exit.Error{Code: exit.Cache, Err: err}).
		Hint("set %s to a directory of your own with room, on a file system mounted without noexec", DirVar)
}

// refusal is the error of a search: one line, all the causes.
type refusal struct {
	text   string
	causes []error
}

func (r *refusal) Error() string   { return r.text }
func (r *refusal) Unwrap() []error { return r.causes }
