package fusemount

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Source is the name of the mounted device in the mount table unless the option
// fsname says otherwise.
const Source = "cvmfs2"

// Request says what to mount.
type Request struct {
	// Dir is the mount point, an absolute path of a directory.
	Dir string
	// Options are those of mount(8) that make sense for FUSE: allow_other,
	// default_permissions, max_read=N, fsname=NAME, subtype=NAME, noexec, noatime and
	// the like.
	Options []string
	// Suid keeps set-user-ID bits alive.
	Suid bool
}

// Mount is a mounted file system. FD is its /dev/fuse descriptor, close-on-exec,
// which the caller gives to the FUSE server and which that closes.
type Mount struct {
	FD     int
	dir    string // empty for a premounted one
	helper string // path of fusermount; empty: mount(2) was used
}

// Path returns the mount point by which go-fuse's server takes over the descriptor.
func (m *Mount) Path() string { return fmt.Sprintf("/dev/fd/%d", m.FD) }

// mountError is a failed mount(2) with all that went into it.
type mountError struct {
	target, flags, data string
	err                 error
}

func (e *mountError) Error() string {
	return fmt.Sprintf("mount fuse on %q (%s, %s): %v", e.target, e.flags, e.data, e.err)
}

func (e *mountError) Unwrap() error { return e.err }

// Open mounts. When mount(2) is not permitted it asks fusermount; the error then
// names both refusals.
func Open(r Request) (*Mount, error) {
	m, err := direct(r)
	if err == nil || !errors.Is(err, unix.EPERM) {
		return m, err
	}
	m, herr := viaHelper(r)
	if herr != nil {
		return nil, fmt.Errorf("%w; %w", err, herr)
	}
	return m, nil
}

// Premounted takes over the descriptor fd of a mount that the caller has made, under
// another number. It fails unless fd is an open /dev/fuse.
func Premounted(fd int) (*Mount, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	// Linux Documentation/admin-guide/devices.txt: misc device 229 is fuse.
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(uint64(st.Rdev)) != 10 || unix.Minor(uint64(st.Rdev)) != 229 {
		return nil, fmt.Errorf("descriptor %d is not /dev/fuse", fd)
	}
	// The server reads with blocking reads.
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err == nil && flags&unix.O_NONBLOCK != 0 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags&^unix.O_NONBLOCK); err != nil {
			return nil, fmt.Errorf("descriptor %d: %w", fd, err)
		}
	}
	// A standard stream's number could be taken over by a daemon's /dev/null.
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	if fd > 2 {
		unix.Close(fd)
	}
	return &Mount{FD: own}, nil
}

func direct(r Request) (*Mount, error) {
	var st unix.Stat_t
	if err := unix.Stat(r.Dir, &st); err != nil {
		return nil, fmt.Errorf("mount point %q: %w", r.Dir, err)
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/fuse: %w", err)
	}
	source, typ, flags, data := translate(r.Options, r.Suid)
	data = append([]string{
		fmt.Sprintf("fd=%d", fd), fmt.Sprintf("rootmode=%o", st.Mode&unix.S_IFMT),
		fmt.Sprintf("user_id=%d", os.Geteuid()), fmt.Sprintf("group_id=%d", os.Getegid()),
	}, data...)
	text := strings.Join(data, ",")
	if err := unix.Mount(source, r.Dir, typ, flags, text); err != nil {
		unix.Close(fd)
		return nil, &mountError{r.Dir, flagNames(flags), text, err}
	}
	return &Mount{FD: fd, dir: r.Dir}, nil
}

var flagTable = []struct {
	word  string
	clear uintptr
	set   uintptr
	name  string
}{
	{"noexec", 0, unix.MS_NOEXEC, "MS_NOEXEC"},
	{"noatime", 0, unix.MS_NOATIME, "MS_NOATIME"},
	{"nodiratime", 0, unix.MS_NODIRATIME, "MS_NODIRATIME"},
	{"relatime", 0, unix.MS_RELATIME, "MS_RELATIME"},
	{"sync", 0, unix.MS_SYNCHRONOUS, "MS_SYNCHRONOUS"},
	{"exec", unix.MS_NOEXEC, 0, ""},
	{"atime", unix.MS_NOATIME, 0, ""},
	{"norelatime", unix.MS_RELATIME, 0, ""},
	{"async", unix.MS_SYNCHRONOUS, 0, ""},
	{"nosuid", 0, unix.MS_NOSUID, "MS_NOSUID"},
	{"nodev", 0, unix.MS_NODEV, "MS_NODEV"},
	{"ro", 0, unix.MS_RDONLY, "MS_RDONLY"},
}

// translate sorts option words into what mount(2) takes as flags, as names and as
// text.
func translate(options []string, suid bool) (source, typ string, flags uintptr, data []string) {
	source, typ, flags = Source, "fuse", unix.MS_RDONLY|unix.MS_NODEV
	if !suid {
		flags |= unix.MS_NOSUID
	}
next:
	for _, o := range options {
		for _, f := range flagTable {
			if o == f.word {
				flags = flags&^f.clear | f.set
				continue next
			}
		}
		switch key, value, _ := strings.Cut(o, "="); key {
		case "fsname":
			source = value
		case "subtype":
			typ = "fuse." + value
		default:
			data = append(data, o)
		}
	}
	return source, typ, flags, data
}

func flagNames(flags uintptr) string {
	var names []string
	for _, f := range flagTable {
		if f.name != "" && flags&f.set != 0 {
			names = append(names, f.name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "|")
}

// Unmount detaches the mount at once; what is open in it ends when the descriptor
// is closed. It does nothing for a premounted file system, whose place only the
// caller knows. Call it only while the mount is known to be there: the path may
// belong to another mount afterwards.
func (m *Mount) Unmount() error {
	switch {
	case m.dir == "":
		return nil
	case m.helper != "":
		return m.helperUnmount()
	}
	if err := unix.Unmount(m.dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
		return fmt.Errorf("unmount %q: %w", m.dir, err)
	}
	return nil
}
