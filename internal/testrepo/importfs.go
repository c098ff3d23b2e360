package testrepo

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// AddFS adds a copy of fsys below prefix. Files are read when they are published.
func (r *Repo) AddFS(prefix string, fsys fs.FS) error {
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		at := path.Join(clean(prefix), name)
		if at == "." {
			at = ""
		}
		opts := []Option{Mode(uint32(info.Mode().Perm()))}
		if !info.ModTime().IsZero() {
			opts = append(opts, MTime(info.ModTime()))
		}
		switch info.Mode().Type() {
		case 0:
			r.File(at, "", append(opts, Content(fsFile{fsys, name, info.Size()}))...)
		case fs.ModeDir:
			r.Dir(at, opts...)
		case fs.ModeSymlink:
			target, err := fs.ReadLink(fsys, name)
			if err != nil {
				return err
			}
			r.Symlink(at, target, opts...)
		default:
			return fmt.Errorf("add %q: %v is not supported", name, info.Mode())
		}
		return nil
	})
}

// AddDir adds a copy of the directory dir of this machine below prefix: types,
// modes, owners, times, hard links, user attributes. Files are read when they are
// published.
func (r *Repo) AddDir(prefix, dir string) error {
	seen := map[[2]uint64]string{}
	return filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		at := path.Join(clean(prefix), rel)
		if at == "." {
			at = ""
		}
		return r.addDisk(at, file, seen)
	})
}

func (r *Repo) addDisk(at, file string, seen map[[2]uint64]string) error {
	var st syscall.Stat_t
	if err := syscall.Lstat(file, &st); err != nil {
		return fmt.Errorf("stat %q: %w", file, err)
	}
	opts := []Option{Mode(st.Mode), Owner(st.Uid, st.Gid), MTime(time.Unix(int64(st.Mtim.Sec), int64(st.Mtim.Nsec)).UTC())}
	id := [2]uint64{uint64(st.Dev), st.Ino}
	if typ := st.Mode & typeMask; typ != typeDir && st.Nlink > 1 {
		if first, ok := seen[id]; ok {
			r.Hardlink(at, first)
			return nil
		}
		seen[id] = at
	}
	switch st.Mode & typeMask {
	case typeRegular:
		r.File(at, "", append(append(opts, Content(diskFile{file, st.Size})), diskXattrs(file)...)...)
	case typeDir:
		r.Dir(at, append(opts, diskXattrs(file)...)...)
	case typeSymlink:
		target, err := os.Readlink(file)
		if err != nil {
			return err
		}
		r.Symlink(at, target, opts...)
	case typeFifo:
		r.Fifo(at, opts...)
	case typeSocket:
		r.Socket(at, opts...)
	default:
		r.Device(at, st.Mode&typeMask == typeBlock, uint64(st.Rdev), opts...)
	}
	return nil
}

// diskXattrs returns the user attributes of a file, none where they cannot be read.
func diskXattrs(file string) []Option {
	list, val := make([]byte, 64<<10), make([]byte, 64<<10)
	n, err := unix.Llistxattr(file, list)
	if err != nil {
		return nil
	}
	var opts []Option
	for _, name := range splitNames(list[:n]) {
		if v, err := unix.Lgetxattr(file, name, val); err == nil && len(name) > 5 && name[:5] == "user." {
			opts = append(opts, XAttr(name, string(val[:v])))
		}
	}
	return opts
}

func splitNames(list []byte) []string {
	var out []string
	for start, i := 0, 0; i < len(list); i++ {
		if list[i] == 0 {
			out = append(out, string(list[start:i]))
			start = i + 1
		}
	}
	return out
}
