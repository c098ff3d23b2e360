package dist

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// fixLinks makes every symbolic link one that stays in the tree.
func fixLinks(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return exit.Wrap(exit.Output, err)
		}
		if d.Type() != fs.ModeSymlink {
			return nil
		}
		old, err := root.Readlink(name)
		if err != nil {
			return exit.Wrap(exit.Output, err)
		}
		target := inTree(name, old)
		if target == old {
			return nil
		}
		if err := root.Remove(name); err != nil {
			return exit.Wrap(exit.Output, err)
		}
		if err := root.Symlink(target, name); err != nil {
			return exit.Wrap(exit.Output, fmt.Errorf("link %q: %w", name, err))
		}
		return nil
	})
}

// inTree returns the target of the link at name, relative and such that it does not
// leave the tree: an absolute target begins at the tree's top, as on an installed
// system, and ".." does not go beyond that. A target in which ".." comes after a
// name is simplified: what that name is, if a link itself, is not looked at.
func inTree(name, target string) string {
	dir := path.Dir(name)
	if !path.IsAbs(target) {
		if climbs(target) <= depth(dir) {
			return target
		}
		target = path.Join("/", dir, target)
	}
	// Both cleaned, without ".."; the link's directories are real ones.
	from, to := elements(dir), elements(path.Clean(target))
	for len(from) > 0 && len(to) > 0 && from[0] == to[0] {
		from, to = from[1:], to[1:]
	}
	rel := strings.Repeat("../", len(from)) + strings.Join(to, "/")
	if rel = strings.TrimSuffix(rel, "/"); rel == "" {
		return "."
	}
	return rel
}

// climbs returns by how many directories a relative target goes up at its beginning,
// or a large number when it also does so later.
func climbs(target string) int {
	n, down := 0, false
	for e := range strings.SplitSeq(target, "/") {
		switch {
		case e == ".." && down:
			return 1 << 30
		case e == "..":
			n++
		case e != "" && e != ".":
			down = true
		}
	}
	return n
}

func depth(dir string) int { return len(elements(dir)) }

// elements splits a cleaned path, relative or absolute, into its names.
func elements(p string) []string {
	p = strings.Trim(p, "/")
	if p == "" || p == "." {
		return nil
	}
	return strings.Split(p, "/")
}
