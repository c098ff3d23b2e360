package payload

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// distName is the directory at the top of every bundle's tree.
const distName = "dist"

// scan lists a dist tree in the order of the tar stream: directories, links, then
// files with those that resemble each other side by side. Sizes are those of the
// moment; digests come later.
func scan(src Source) ([]File, error) {
	var files []File
	err := fs.WalkDir(src.Dist.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != "." && src.Skip != nil && src.Skip(name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		f, err := describe(src.Dist, name, d)
		if err == nil {
			files = append(files, f)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, inOrder)
	return files, nil
}

func describe(dist *os.Root, name string, d fs.DirEntry) (File, error) {
	f := File{Path: path.Join(distName, name)}
	info, err := d.Info()
	if err != nil {
		return f, err
	}
	switch info.Mode().Type() {
	case fs.ModeDir:
		f.Type, f.Mode = Dir, ModeOf(info.Mode())
	case 0:
		f.Type, f.Mode, f.Size, f.SHA256 = Regular, ModeOf(info.Mode()), info.Size(), new(Digest)
	case fs.ModeSymlink:
		f.Type = Symlink
		if f.Target, err = dist.Readlink(name); err != nil {
			return f, err
		}
	default:
		return f, fmt.Errorf("%q is neither a file, a directory nor a symbolic link (%v)", name, info.Mode())
	}
	return f, f.validate()
}

// inOrder compares two files by their places in the tar stream. Nothing but names
// and types decides, so the order is the same everywhere.
func inOrder(a, b File) int {
	rank := func(t Type) int { return slices.Index([]Type{Dir, Symlink, Regular}, t) }
	if c := cmp.Compare(rank(a.Type), rank(b.Type)); c != 0 {
		return c
	}
	if a.Type == Regular {
		if c := cmp.Compare(likeness(a.Path), likeness(b.Path)); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.Path, b.Path)
}

// likeness returns what a file has in common with its variants: the base name
// without soname, version, debug mark and digits at its end. libcvmfs_fuse3.so.2
// and libcvmfs_fuse_debug.so.2 are mostly the same bytes, which zstd finds when
// they are close together.
func likeness(name string) string {
	base := strings.ToLower(path.Base(name))
	base, _, _ = strings.Cut(base, ".so")
	base = strings.ReplaceAll(base, "debug", "")
	return strings.TrimRight(base, "0123456789._-")
}
