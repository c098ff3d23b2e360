package fusemount

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// helperDirs are searched after PATH, which may be empty.
var helperDirs = []string{"/usr/bin", "/bin", "/usr/local/bin"}

func findHelper() (string, error) {
	for _, name := range []string{"fusermount3", "fusermount"} {
		if p, err := exec.LookPath(name); err == nil {
			return filepath.Abs(p)
		}
		for _, dir := range helperDirs {
			if p, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return p, nil
			}
		}
	}
	return "", errors.New("neither fusermount3 nor fusermount was found")
}

// helperArgs are the arguments of fusermount for a request. The helper unescapes
// backslashes and splits at commas.
func helperArgs(r Request) []string {
	words := []string{"ro", "nodev"}
	if !r.Suid {
		words = append(words, "nosuid")
	}
	named := false
	for _, o := range r.Options {
		named = named || strings.HasPrefix(o, "fsname=")
		words = append(words, strings.NewReplacer(`\`, `\\`, ",", `\,`).Replace(o))
	}
	if !named {
		words = append(words, "fsname="+Source)
	}
	return []string{"-o", strings.Join(words, ","), "--", r.Dir}
}

func viaHelper(r Request) (*Mount, error) {
	helper, err := findHelper()
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make socket pair: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "fusermount socket")
	defer unix.Close(pair[0])
	if err := runHelper(helper, helperArgs(r), theirs); err != nil {
		return nil, err
	}
	fd, err := receive(pair[0])
	if err != nil {
		return nil, fmt.Errorf("%s passed no descriptor: %w", helper, err)
	}
	return &Mount{FD: fd, dir: r.Dir, helper: helper}, nil
}

// runHelper runs fusermount with the socket (nil: none) as descriptor 3 and
// closes it.
func runHelper(helper string, args []string, socket *os.File) error {
	var out bytes.Buffer
	cmd := exec.Command(helper, args...)
	cmd.Env = []string{}
	cmd.Stderr = &out
	if socket != nil {
		defer socket.Close()
		cmd.Env = append(cmd.Env, "_FUSE_COMMFD=3")
		cmd.ExtraFiles = []*os.File{socket}
	}
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(out.String()); text != "" {
			return errors.New(text) // it begins with the helper's name
		}
		return fmt.Errorf("run %s: %w", helper, err)
	}
	return nil
}

// receive takes the descriptor that fusermount sends with one byte of data.
func receive(socket int) (int, error) {
	data, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	var n, oobn int
	var err error
	for {
		n, oobn, _, _, err = unix.Recvmsg(socket, data, oob, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	switch {
	case err != nil:
		return -1, err
	case n == 0:
		return -1, errors.New("the socket was closed")
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return -1, err
	}
	if len(msgs) != 1 {
		return -1, fmt.Errorf("%d control messages", len(msgs))
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		return -1, err
	}
	if len(fds) != 1 {
		return -1, fmt.Errorf("%d descriptors", len(fds))
	}
	return fds[0], nil
}

func (m *Mount) helperUnmount() error {
	return runHelper(m.helper, []string{"-u", "-z", "-q", "--", m.dir}, nil)
}
