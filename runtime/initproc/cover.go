package initproc

import (
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// coverOptions of the tmpfs that holds a copy of the dist tree.
const coverOptions = "mode=0755,size=1g"

// cover mounts a tmpfs over a dist tree that lies on a noexec file system and copies
// the tree into it: the client and its libraries can be executed there. A noexec mount
// of the host may not be remounted in a user namespace.
func cover(dist string) error {
	below, err := os.OpenRoot(dist) // stays the tree below the tmpfs
	if err != nil {
		return err
	}
	defer below.Close()
	if err := unix.Mount("tmpfs", dist, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, coverOptions); err != nil {
		return fmt.Errorf("mount a tmpfs on %s: %w", dist, err)
	}
	top, err := os.OpenRoot(dist)
	if err != nil {
		return err
	}
	defer top.Close()
	return fs.WalkDir(below.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		return copyEntry(top, below, name, d)
	})
}

func copyEntry(to, from *os.Root, name string, d fs.DirEntry) error {
	switch {
	case d.Type()&fs.ModeSymlink != 0:
		target, err := from.Readlink(name)
		if err != nil {
			return err
		}
		return to.Symlink(target, name)
	case d.IsDir():
		return to.Mkdir(name, 0o755)
	case !d.Type().IsRegular():
		return nil
	}
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := to.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, st.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}
