package readonlytest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// directoryChecks are about listings.
func directoryChecks() []Check {
	return []Check{
		{"directory: small buffers give the same listing", smallBuffers},
		{"directory: seekdir and rewinddir", seekdir},
		{"directory: numbers and types as stat has them", numbers},
		{"directory: dot and dot-dot", dots},
		{"directory: read(2) of a directory", func(dir string) error {
			fd, err := unix.Open(filepath.Join(dir, Dir), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			_, err = unix.Read(fd, make([]byte, 10))
			return refused("read", err, unix.EISDIR)
		}},
	}
}

// entry is what getdents64 gives.
type entry struct {
	ino  uint64
	off  int64
	kind byte
	name string
}

// getdents reads one buffer of entries.
func getdents(fd, size int) ([]entry, error) {
	buf := make([]byte, size)
	n, err := unix.Getdents(fd, buf)
	if err != nil {
		return nil, err
	}
	var out []entry
	for buf = buf[:n]; len(buf) >= 19; {
		length := int(binary.NativeEndian.Uint16(buf[16:]))
		name := buf[19:length]
		if i := slices.Index(name, 0); i >= 0 {
			name = name[:i]
		}
		out = append(out, entry{binary.NativeEndian.Uint64(buf), int64(binary.NativeEndian.Uint64(buf[8:])), buf[18], string(name)})
		buf = buf[length:]
	}
	return out, nil
}

// list reads a directory to its end.
func list(fd, size int) ([]entry, error) {
	var all []entry
	for {
		got, err := getdents(fd, size)
		if err != nil || len(got) == 0 {
			return all, err
		}
		all = append(all, got...)
	}
}

func with(path string, f func(fd int) error) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return f(fd)
}

func smallBuffers(dir string) error {
	want := []string{".", ".."}
	for i := range ManyCount {
		want = append(want, ManyName(i))
	}
	slices.Sort(want)
	for _, size := range []int{64, 280, 1000, 1 << 16} {
		err := with(filepath.Join(dir, Many), func(fd int) error {
			all, err := list(fd, size)
			if err != nil {
				return err
			}
			var names []string
			for _, e := range all {
				names = append(names, e.name)
			}
			slices.Sort(names)
			if !slices.Equal(names, want) {
				return fmt.Errorf("%d entries, want %d", len(names), len(want))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("buffer of %d bytes: %w", size, err)
		}
	}
	return nil
}

func seekdir(dir string) error {
	return with(filepath.Join(dir, Many), func(fd int) error {
		all, err := list(fd, 500)
		if err != nil {
			return err
		}
		for _, i := range []int{150, 0, 299, 17, len(all) - 1} {
			if _, err := unix.Seek(fd, all[i].off, 0); err != nil {
				return err
			}
			rest, err := list(fd, 700)
			if err != nil || !slices.Equal(rest, all[i+1:]) {
				return fmt.Errorf("after entry %d come %d entries, want %d (%v)", i, len(rest), len(all)-i-1, err)
			}
		}
		if _, err := unix.Seek(fd, 0, 0); err != nil {
			return err
		}
		again, err := list(fd, 300)
		if err != nil || !slices.Equal(again, all) {
			return fmt.Errorf("after rewinddir %d entries, want %d (%v)", len(again), len(all), err)
		}
		return nil
	})
}

func numbers(dir string) error {
	return with(dir, func(fd int) error {
		all, err := list(fd, 4096)
		if err != nil {
			return err
		}
		for _, e := range all {
			if e.name == ".." { // belongs to the file system above
				continue
			}
			var st unix.Stat_t
			if err := unix.Lstat(filepath.Join(dir, e.name), &st); err != nil {
				return err
			}
			if st.Ino != e.ino || byte(st.Mode>>12) != e.kind {
				return fmt.Errorf("%s: listed as inode %d type %d, stat says %d and %d", e.name, e.ino, e.kind, st.Ino, st.Mode>>12)
			}
		}
		return nil
	})
}

func dots(dir string) error {
	var top, sub unix.Stat_t
	if err := unix.Stat(dir, &top); err != nil {
		return err
	}
	p := filepath.Join(dir, Dir)
	if err := unix.Stat(p, &sub); err != nil {
		return err
	}
	return with(p, func(fd int) error {
		all, err := list(fd, 4096)
		if err != nil {
			return err
		}
		for _, e := range all {
			if e.name == "." && e.ino != sub.Ino || e.name == ".." && e.ino != top.Ino {
				return fmt.Errorf("%s is inode %d; directory %d, parent %d", e.name, e.ino, sub.Ino, top.Ino)
			}
		}
		if _, err := os.Stat(p + "/../" + File); err != nil {
			return err
		}
		if len(all) != 3 {
			return fmt.Errorf("%d entries, want 3", len(all))
		}
		return nil
	})
}
