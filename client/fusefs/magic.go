package fusefs

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
)

// subject is the path that an attribute is asked of.
type subject struct {
	path string
	e    *catalog.Entry
}

// magic is an extended attribute that the client makes up (CVMFS client,
// magic_xattr.cc).
type magic struct {
	name  string                // with the namespace
	has   func(s *subject) bool // which paths have it; nil: all
	value func(ctx context.Context, s *subject) (string, error)
}

func isRegular(s *subject) bool { return s.e.Kind() == catalog.Regular }
func isLink(s *subject) bool    { return s.e.Kind() == catalog.Symlink }
func hasHash(s *subject) bool   { return isRegular(s) && !s.e.Hash.IsNull() }

// magicTable returns the attributes of this file system, sorted by name. What only
// others know comes from [Config.Facts].
func (fs *FS) magicTable() []magic {
	t := []magic{
		{"user.catalog_counters", nil, fs.catalogCounters},
		{"user.chunk_list", isRegular, fs.chunkList},
		{"user.chunks", isRegular, fs.chunkCount},
		{"user.compression", isRegular, entryText(func(e *catalog.Entry) string { return e.Compression.String() })},
		{"user.direct_io", isRegular, entryText(func(e *catalog.Entry) string { return digit(e.IsDirectIO()) })},
		{"user.external_file", isRegular, entryText(func(e *catalog.Entry) string { return digit(e.IsExternal()) })},
		{"user.hash", hasHash, entryText(func(e *catalog.Entry) string { return e.Hash.String() })},
		{"user.rawlink", isLink, entryText(func(e *catalog.Entry) string { return e.Symlink })},
		{"xfsroot.rawlink", isLink, entryText(func(e *catalog.Entry) string { return e.Symlink })},
		{"user.repo_counters", nil, fs.repoCounters},
		{"user.inode_max", nil, number(func() int64 { return int64(fs.nodes.inoMax()) })},
		{"user.nopen", nil, number(fs.stats.opens.Load)},
		{"user.ndiropen", nil, number(fs.stats.openDirs.Load)},
		{"user.nioerr", nil, number(fs.stats.ioErrors.Load)},
		{"user.timestamp_last_ioerr", nil, number(fs.stats.lastIOError.Load)},
		{"user.usedfd", nil, number(func() int64 { return int64(fs.files.len() + fs.chunks.len()) })},
		{"user.useddirp", nil, number(func() int64 { return int64(fs.dirs.len()) })},
		{"user.uptime", nil, number(func() int64 { return int64(time.Since(fs.start) / time.Minute) })},
		{"user.pid", nil, number(func() int64 { return int64(os.Getpid()) })},
	}
	if fs.c.Attached != nil {
		t = append(t, magic{"user.nclg", nil, number(func() int64 { return int64(fs.c.Attached()) })})
	}
	for name, fact := range fs.c.Facts {
		t = append(t, magic{"user." + name, nil, func(context.Context, *subject) (string, error) { return fact(), nil }})
	}
	slices.SortFunc(t, func(a, b magic) int { return strings.Compare(a.name, b.name) })
	return t
}

func entryText(f func(*catalog.Entry) string) func(context.Context, *subject) (string, error) {
	return func(_ context.Context, s *subject) (string, error) { return f(s.e), nil }
}

func number(f func() int64) func(context.Context, *subject) (string, error) {
	return func(context.Context, *subject) (string, error) { return strconv.FormatInt(f(), 10), nil }
}

func digit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func (fs *FS) catalogCounters(ctx context.Context, s *subject) (string, error) {
	i, err := fs.c.Tree.Info(ctx, s.path)
	return fmt.Sprintf("catalog_hash: %s\ncatalog_mountpoint: %s\n%s", i.Hash, i.Mountpoint, i.Counters), err
}

func (fs *FS) repoCounters(ctx context.Context, _ *subject) (string, error) {
	i, err := fs.c.Tree.Info(ctx, "")
	return i.Counters.String(), err
}

func (fs *FS) chunkCount(ctx context.Context, s *subject) (string, error) {
	if !s.e.IsChunked() {
		return "1", nil
	}
	chunks, err := fs.c.Tree.Chunks(ctx, s.path)
	return strconv.Itoa(len(chunks)), err
}

func (fs *FS) chunkList(ctx context.Context, s *subject) (string, error) {
	var b strings.Builder
	b.WriteString("hash,offset,size\n")
	if !s.e.IsChunked() {
		fmt.Fprintf(&b, "%s,0,%d\n", s.e.Hash, s.e.Size)
		return b.String(), nil
	}
	chunks, err := fs.c.Tree.Chunks(ctx, s.path)
	for _, c := range chunks {
		fmt.Fprintf(&b, "%s,%d,%d\n", c.Hash, c.Offset, c.Size)
	}
	return b.String(), err
}

// pageSize is how much of a value is shown at once: the kernel's limit for an
// attribute is 64 kB.
const pageSize = 40000

// magicValue returns an attribute of the client's own. A name may be followed by
// ~N or @N for a page of a long value, for a machine or with a line of explanation
// for a person, and by ~? or @? for how many there are.
func (fs *FS) magicValue(ctx context.Context, s *subject, name string) ([]byte, bool, error) {
	base, page, human := name, "0", false
	if i := strings.LastIndexAny(name, "~@"); i >= 0 {
		base, page, human = name[:i], name[i+1:], name[i] == '@'
	}
	i, ok := slices.BinarySearchFunc(fs.magic, base, func(m magic, n string) int { return strings.Compare(m.name, n) })
	if !ok || fs.magic[i].has != nil && !fs.magic[i].has(s) {
		return nil, false, nil
	}
	text, err := fs.magic[i].value(ctx, s)
	if err != nil {
		return nil, false, err
	}
	text, ok = pageOf(strings.TrimSuffix(text, "\n"), page, human)
	return []byte(text), ok, nil
}

func pageOf(text, page string, human bool) (string, bool) {
	pages := max((len(text)+pageSize-1)/pageSize, 1)
	if page == "?" {
		if human {
			return "Access xattr with xattr~<page_num> (machine-readable mode) or xattr@<page_num> (human-readable mode).\n" +
				fmt.Sprintf("Valid <page_num>: 0 - %d", pages-1), true
		}
		return fmt.Sprintf("num_pages, %d", pages), true
	}
	n, err := strconv.ParseUint(page, 10, 31)
	if err != nil || int(n) >= pages {
		return "", false
	}
	text = text[int(n)*pageSize : min(len(text), int(n+1)*pageSize)]
	if human {
		text = fmt.Sprintf("# Access page at idx: %d. Total num pages: %d (access other pages: xattr~<page_num>, starting  with 0; number of pages available: xattr~?)\n", n, pages) + text
	}
	return text, true
}
