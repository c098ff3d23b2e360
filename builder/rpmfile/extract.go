package rpmfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/cavaliergopher/cpio"
)

// Limits of one package's content. CVMFS with all its libraries has 100 files and
// 80 MB.
const (
	maxFiles   = 100_000
	maxContent = 4 << 30 // bytes
)

// ErrHostile is wrapped when an archive names what must not be made: a path out of
// the tree or through a link, a device, one file twice.
var ErrHostile = errors.New("refused")

// Extract makes the files of the package below root, without owners and with modes
// that let their owner read and remove them and nobody else write. A path for which
// skip is true is left out; paths have no "./" or "/" in front. A file that another
// package has made already must be the same, as rpm demands it.
//
// The names that were made are returned, directories too, in the archive's order.
func (p *Package) Extract(ctx context.Context, root *os.Root, skip func(path string) bool) ([]string, error) {
	if format := p.head.PayloadFormat(); format != "" && format != "cpio" {
		return nil, badFormat("the payload is %q, not cpio", format)
	}
	r, err := p.content()
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	defer r.Close()
	x := &extraction{
		root: root, skip: skip, dirs: map[string]bool{".": true},
		in: &trailing{r: r}, own: map[string]bool{}, links: map[int64]*linkSet{},
	}
	if err := x.run(ctx); err != nil {
		return x.made, fmt.Errorf("payload: %w", err)
	}
	return x.made, nil
}

// extraction is the state of unpacking one archive.
type extraction struct {
	root  *os.Root
	skip  func(string) bool
	in    *trailing
	dirs  map[string]bool // directories known to be real ones
	own   map[string]bool // what this archive made
	made  []string        // the same, in order
	links map[int64]*linkSet
	sets  []*linkSet // the same, in order
}

func (x *extraction) add(name string) {
	x.own[name] = true
	x.made = append(x.made, name)
}

// A linkSet is the names of one file with several. In a package's archive the last
// one carries the content, the others have size 0.
type linkSet struct {
	names []string
	hdr   *cpio.Header
	data  string // name of the one that has the content
}

func (x *extraction) run(ctx context.Context) error {
	r := cpio.NewReader(x.in)
	for n := 0; ; n++ {
		hdr, err := r.Next()
		if err == io.EOF {
			if x.in.ended {
				return badFormat("the archive is cut off")
			}
			return x.finishLinks()
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if n >= maxFiles {
			return badFormat("more than %d files", maxFiles)
		}
		name, err := cleanName(hdr.Name)
		if err != nil {
			return err
		}
		if name == "." || x.skip(name) {
			continue
		}
		if err := x.entry(name, hdr, r); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
}

// cleanName returns the path of an archive's entry relative to the tree. Names begin
// with "./" in the archives of rpmbuild, with "/" in those of some other programs.
func cleanName(name string) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("%w: the name %q holds a zero byte", ErrHostile, name)
	}
	if rest, ok := strings.CutPrefix(name, "./"); ok {
		name = rest
	} else {
		name = strings.TrimPrefix(name, "/")
	}
	if name == "." || name == "" {
		return ".", nil
	}
	// Not fs.ValidPath: a name need not be UTF-8.
	for e := range strings.SplitSeq(name, "/") {
		if e == "" || e == "." || e == ".." {
			return "", fmt.Errorf("%w: the path %q is not one below the tree", ErrHostile, name)
		}
	}
	return name, nil
}

func (x *extraction) entry(name string, hdr *cpio.Header, r io.Reader) error {
	if hdr.Size < 0 {
		return badFormat("size %d", hdr.Size)
	}
	if err := x.parents(path.Dir(name)); err != nil {
		return err
	}
	switch hdr.Mode & cpio.ModeType {
	case cpio.TypeDir:
		return x.mkdir(name, modeOf(hdr, true))
	case cpio.TypeSymlink:
		if hdr.Linkname == "" || strings.ContainsRune(hdr.Linkname, 0) {
			return badFormat("a link without a target or with a zero byte in it")
		}
		err := x.root.Symlink(hdr.Linkname, name)
		if errors.Is(err, fs.ErrExist) {
			return x.sameLink(name, hdr.Linkname)
		}
		if err != nil {
			return err
		}
	case cpio.TypeReg:
		if hdr.Links > 1 {
			return x.linked(name, hdr, r)
		}
		return x.file(name, hdr, r)
	default:
		return fmt.Errorf("%w: a device, pipe or socket", ErrHostile)
	}
	x.add(name)
	return nil
}

// parents makes the directories above a path, and checks that none is a link.
func (x *extraction) parents(dir string) error {
	if x.dirs[dir] {
		return nil
	}
	if err := x.parents(path.Dir(dir)); err != nil {
		return err
	}
	return x.mkdir(dir, 0o755)
}

func (x *extraction) mkdir(name string, mode fs.FileMode) error {
	err := x.root.Mkdir(name, mode)
	if errors.Is(err, fs.ErrExist) {
		fi, err := x.root.Lstat(name)
		if err != nil {
			return err
		}
		if !fi.IsDir() {
			return fmt.Errorf("%w: there is a file or link where a directory is needed: %q", ErrHostile, name)
		}
		x.dirs[name] = true
		return nil
	}
	if err != nil {
		return err
	}
	x.dirs[name] = true
	x.add(name)
	return x.root.Chmod(name, mode) // whatever the umask is
}

func (x *extraction) file(name string, hdr *cpio.Header, r io.Reader) error {
	mode := modeOf(hdr, false)
	f, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return x.sameFile(name, hdr, r)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	x.add(name)
	if _, err := io.CopyN(f, r, hdr.Size); err != nil {
		if err == io.EOF {
			err = badFormat("the archive is cut off")
		}
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return x.root.Chtimes(name, time.Time{}, hdr.ModTime)
}

// modeOf returns the mode of a file in the tree: what the package says, but the
// owner may read and write, nobody else may write, and no setuid, setgid or sticky
// bit.
func modeOf(hdr *cpio.Header, dir bool) fs.FileMode {
	m := fs.FileMode(hdr.Mode.Perm())&^0o022 | 0o600
	if dir {
		m |= 0o100
	}
	return m
}

// trailing notes that the end of its reader was seen. A complete archive ends with
// an entry of its own, before that.
type trailing struct {
	r     io.Reader
	ended bool
}

func (t *trailing) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if n == 0 && err == io.EOF && len(p) > 0 {
		t.ended = true
	}
	return n, err
}
