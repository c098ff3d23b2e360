package shellconf

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A Root lets configuration read below a directory. Nothing outside all roots is
// opened, whatever path or symlink leads there.
type Root struct {
	// Path is the absolute path by which configuration names the directory, such as
	// /etc. The longest one that fits counts.
	Path string
	// Dir is the directory that stands for it. One that does not exist counts as empty.
	Dir string
}

type openRoot struct {
	Root
	root *os.Root // nil: does not exist
}

// trees are the open roots, longest path first.
type trees []openRoot

func openTrees(roots []Root) (trees, error) {
	var t trees
	for _, r := range roots {
		if !path.IsAbs(r.Path) || !filepath.IsAbs(r.Dir) {
			t.close()
			return nil, fmt.Errorf("configuration root %q = %q: not absolute", r.Path, r.Dir)
		}
		d, err := os.OpenRoot(r.Dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			t.close()
			return nil, fmt.Errorf("open configuration root: %w", err)
		}
		t = append(t, openRoot{Root{path.Clean(r.Path), filepath.Clean(r.Dir)}, d})
	}
	slices.SortStableFunc(t, func(a, b openRoot) int { return cmp.Compare(len(b.Path), len(a.Path)) })
	return t, nil
}

func (t trees) close() {
	for _, r := range t {
		if r.root != nil {
			r.root.Close()
		}
	}
}

// find returns the root that has the path p, and p's name in it.
func (t trees) find(p string) (r openRoot, rel string, ok bool) {
	p = path.Clean(p)
	for _, r := range t {
		if p == r.Path {
			return r, ".", true
		}
		if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(r.Path, "/")+"/"); ok {
			return r, rest, true
		}
	}
	return openRoot{}, "", false
}

// name returns the real path of the configuration's path p.
func (t trees) name(p string) string {
	r, rel, ok := t.find(p)
	if !ok {
		return p
	}
	return filepath.Join(r.Dir, rel)
}

// maxLinks bounds the symlinks that are followed from root to root.
const maxLinks = 16

// stat follows symlinks, through os.Root where they stay in one root, and by their
// text, read as configuration's path, where they do not.
func (t trees) stat(p string) (r openRoot, rel string, fi fs.FileInfo, err error) {
	for range maxLinks {
		r, rel, ok := t.find(p)
		if !ok {
			return r, rel, nil, &fs.PathError{Op: "open", Path: p, Err: ErrOutside}
		}
		if r.root == nil {
			return r, rel, nil, &fs.PathError{Op: "open", Path: t.name(p), Err: fs.ErrNotExist}
		}
		fi, err = r.root.Stat(rel)
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return r, rel, fi, err
		}
		next, found := r.firstLink(rel)
		if !found {
			return r, rel, nil, err
		}
		p = next
	}
	return r, rel, nil, &fs.PathError{Op: "open", Path: p, Err: syscall.ELOOP}
}

// firstLink returns the path that rel becomes when the first symlink in it is replaced.
func (r openRoot) firstLink(rel string) (string, bool) {
	parts := strings.Split(rel, "/")
	for i := range parts {
		here := path.Join(parts[:i+1]...)
		target, err := r.root.Readlink(here)
		if err != nil {
			continue
		}
		if !path.IsAbs(target) {
			target = path.Join(r.Path, path.Dir(here), target)
		}
		return path.Join(append([]string{target}, parts[i+1:]...)...), true
	}
	return "", false
}

// read returns the content of a regular file. It never blocks on a fifo.
func (t trees) read(p string) ([]byte, error) {
	r, rel, fi, err := t.stat(p)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: t.name(p), Err: refuse("not a regular file")}
	}
	f, err := r.root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err = f.Stat(); err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: t.name(p), Err: refuse("not a regular file")}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = &fs.PathError{Op: "read", Path: t.name(p), Err: limit("larger than %d bytes", maxFile)}
	}
	return data, err
}

// missing reports that a file is not there, as opposed to not readable.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// maxNames bounds the entries of a directory that are looked at.
const maxNames = 4096

// names lists a directory's regular files and symlinks that end in suffix, sorted.
func (t trees) names(dir, suffix string) ([]string, error) {
	r, rel, fi, err := t.stat(dir)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, &fs.PathError{Op: "list", Path: t.name(dir), Err: syscall.ENOTDIR}
	}
	d, err := r.root.Open(rel)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(maxNames + 1)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(entries) > maxNames {
		return nil, &fs.PathError{Op: "list", Path: t.name(dir), Err: limit("more than %d entries", maxNames)}
	}
	var names []string
	for _, ent := range entries {
		if strings.HasSuffix(ent.Name(), suffix) && (ent.Type().IsRegular() || ent.Type()&fs.ModeSymlink != 0) {
			names = append(names, ent.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}
