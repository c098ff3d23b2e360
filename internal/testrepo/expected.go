package testrepo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A View says through whose eyes a mounted repository is listed. The zero View is
// root's, who reads everything.
type View struct {
	// Env are the variables of symbolic links; one that is not here is unset.
	Env map[string]string
	// Reader is the user whom the permission bits bind; nil is nobody.
	Reader *Reader
	// Owner gives the owner columns; nil shows what was published.
	Owner func(uid, gid uint32) (uint32, uint32)
}

// Reader is an ordinary user.
type Reader struct{ UID, GID uint32 }

// may reports whether bit (4 read, 1 search) is granted.
func (r *Reader) may(n *inode, bit uint32) bool {
	switch {
	case r == nil:
		return true
	case n.uid == r.UID:
		bit <<= 6
	case n.gid == r.GID:
		bit <<= 3
	}
	return n.mode&bit != 0
}

// Expected lists what a mount of the published revision must show: the sorted
// lines of a listing with the tab separated columns path (relative, "/" first,
// percent-encoded outside printable ASCII), type (f d l p s c b), mode, uid, gid,
// size (directories -), mtime in ns, link count (directories -), link target,
// SHA-256 of the content (EACCES where the reader may not), user attributes as
// name=hex;... Hidden entries do not show. The files named *.expected.tsv in
// testdata/repos have the same form.
func (p *Published) Expected(v View) ([]string, error) {
	l := lister{view: v, now: p}
	if err := l.walk("", p.root); err != nil {
		return nil, err
	}
	slices.Sort(l.lines)
	return l.lines, nil
}

type lister struct {
	view  View
	now   *Published // whose defaults hold: another one below a bind mountpoint
	lines []string
}

func (l *lister) walk(path string, n *inode) error {
	if n.bind != nil {
		outer := l.now
		l.now = n.bind
		defer func() { l.now = outer }()
		n = n.bind.root
	}
	if !n.is(typeDir) {
		line, err := l.line(path, n)
		l.lines = append(l.lines, line)
		return err
	}
	line, err := l.line(path, n)
	if err != nil {
		return err
	}
	l.lines = append(l.lines, line)
	if !l.view.Reader.may(n, 4) {
		l.lines = append(l.lines, encode("/"+strings.TrimPrefix(path, "/"))+"\tlisting:EACCES")
		return nil
	}
	for _, name := range n.names() {
		c := n.children[name]
		if c.hidden {
			continue
		}
		if !l.view.Reader.may(n, 1) {
			return fmt.Errorf("%q can be listed but not searched: no listing possible", path)
		}
		if err := l.walk(path+"/"+name, c); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) line(path string, n *inode) (string, error) {
	uid, gid := n.uid, n.gid
	if l.view.Owner != nil {
		uid, gid = l.view.Owner(uid, gid)
	}
	t := n.mtime
	if t.IsZero() {
		t = l.now.Time
	}
	size, links, target, sum := "-", "-", "-", "-"
	if !n.is(typeDir) {
		size, links = "0", strconv.Itoa(n.links)
	}
	switch {
	case n.is(typeSymlink):
		to := expand(n.target, l.view.Env)
		size, target = strconv.Itoa(len(to)), encode(to)
	case n.is(typeRegular):
		size = strconv.FormatInt(n.src.Size(), 10)
		var err error
		if sum, err = l.digest(n); err != nil {
			return "", fmt.Errorf("digest of %q: %w", path, err)
		}
	}
	return strings.Join([]string{
		encode("/" + strings.TrimPrefix(path, "/")), letters[n.mode&typeMask], fmt.Sprintf("%04o", n.mode&0o7777),
		strconv.Itoa(int(uid)), strconv.Itoa(int(gid)), size, strconv.FormatInt(t.UnixNano(), 10), links, target, sum, l.xattrs(n),
	}, "\t"), nil
}

var letters = map[uint32]string{
	typeRegular: "f", typeDir: "d", typeSymlink: "l", typeFifo: "p", typeSocket: "s", typeChar: "c", typeBlock: "b",
}

func (l *lister) digest(n *inode) (string, error) {
	if !l.view.Reader.may(n, 4) {
		return "EACCES", nil
	}
	r, err := n.src.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	_, err = io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

// xattrs returns the user attributes; Linux gives them out for files and
// directories that may be read.
func (l *lister) xattrs(n *inode) string {
	var out []string
	if (n.is(typeRegular) || n.is(typeDir)) && l.view.Reader.may(n, 4) {
		for k, v := range n.xattrs {
			if strings.HasPrefix(k, "user.") {
				out = append(out, k+"="+hex.EncodeToString([]byte(v)))
			}
		}
	}
	if out == nil {
		return "-"
	}
	slices.SortFunc(out, func(a, b string) int {
		ka, _, _ := strings.Cut(a, "=")
		kb, _, _ := strings.Cut(b, "=")
		return strings.Compare(ka, kb)
	})
	return strings.Join(out, ";")
}

// expand replaces the variables of a symbolic link (CVMFS, catalog_sql.cc).
func expand(target string, env map[string]string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(target, "$(")
		name, after, closed := strings.Cut(rest, ")")
		if !found || !closed {
			return out.String() + target
		}
		name, def, _ := strings.Cut(name, ":-")
		v, set := env[name]
		if !set {
			v = def
		}
		out.WriteString(before + v)
		target = after
	}
}

// encode writes s as the listing does.
func encode(s string) string {
	if s == "" {
		return "-"
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 0x21 && c <= 0x7e && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
