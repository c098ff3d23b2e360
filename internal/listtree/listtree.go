// Package listtree lists a directory tree, one line per path, so that tests can
// compare a mounted repository with what it must be.
//
// Columns, tab separated: path (relative, percent-encoded outside printable ASCII),
// type (f d l p s c b), mode (octal permission bits), uid, gid, size in bytes
// (directories: -), modification time in ns, hard-link count (directories: -), link
// target (percent-encoded), SHA-256 of the content (regular files), extended
// attributes of the user namespace as name=hex;..., without the names that the
// client makes up. What cannot be read has the errno's name in place of its
// digest. Sorted by line. The recorded lists of the test repositories were made
// with these columns from mounts of the reference client.
package listtree

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Columns of a line, as indices of the fields.
const (
	Path = iota
	Type
	Mode
	UID
	GID
	Size
	MTime
	Links
	Target
	Digest
	Xattrs
)

const synthetic = " authz catalog_counters chunk_list chunks compression direct_io external_file external_host external_timeout external_url " +
	"proxy_list_external expires fqrn hash hitrate host host_list inode_max lhash logbuffer maxfd ncleanup24 nclg ndiropen nopen ndownload " +
	"nioerr pid proxy proxy_list pubkeys rawlink repo_counters repo_metainfo revision root_hash rx speed tag timeout timeout_direct " +
	"timestamp_last_ioerr uptime usedfd useddirp version metalink revision_timestamp bundle_trigger "

// Lines returns the sorted lines of the tree below dir.
func Lines(dir string) ([]string, error) {
	var out []string
	if err := walk(strings.TrimRight(dir, "/"), "", &out); err != nil {
		return nil, err
	}
	slices.Sort(out)
	return out, nil
}

// Write lists the tree below dir on w.
func Write(w io.Writer, dir string) error {
	lines, err := Lines(dir)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// Without returns the lines with the given columns replaced by "*".
func Without(lines []string, columns ...int) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		f := strings.Split(l, "\t")
		for _, c := range columns {
			if c < len(f) {
				f[c] = "*"
			}
		}
		out[i] = strings.Join(f, "\t")
	}
	return out
}

func walk(root, rel string, out *[]string) error {
	text, dir, err := line(root, rel)
	if err != nil {
		return err
	}
	*out = append(*out, text)
	if !dir {
		return nil
	}
	names, err := readNames(filepath.Join(root, rel))
	if err != nil {
		*out = append(*out, encode("/"+rel)+"\tlisting:"+errno(err))
		return nil
	}
	for _, n := range names {
		child := n
		if rel != "" {
			child = rel + "/" + n
		}
		if err := walk(root, child, out); err != nil {
			return err
		}
	}
	return nil
}

func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func line(root, rel string) (text string, dir bool, err error) {
	p := root
	if rel != "" {
		p += "/" + rel
	}
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		return "", false, fmt.Errorf("lstat %q: %w", p, err)
	}
	size, links, target, digest := strconv.FormatInt(st.Size, 10), strconv.FormatUint(uint64(st.Nlink), 10), "-", "-"
	t := typeOf(st.Mode)
	switch t {
	case "d":
		size, links = "-", "-"
	case "l":
		link, err := os.Readlink(p)
		if err != nil {
			return "", false, err
		}
		target = encode(link)
	case "f":
		digest = sum(p)
	}
	mtime := st.Mtim.Sec*1e9 + st.Mtim.Nsec
	return strings.Join([]string{encode("/" + rel), t, fmt.Sprintf("%04o", st.Mode&0o7777), strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid)),
		size, strconv.FormatInt(mtime, 10), links, target, digest, xattrs(p)}, "\t"), t == "d", nil
}

func typeOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "f"
	case unix.S_IFDIR:
		return "d"
	case unix.S_IFLNK:
		return "l"
	case unix.S_IFIFO:
		return "p"
	case unix.S_IFSOCK:
		return "s"
	case unix.S_IFCHR:
		return "c"
	case unix.S_IFBLK:
		return "b"
	}
	return "?"
}

func sum(p string) string {
	f, err := os.Open(p)
	if err != nil {
		return errno(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return errno(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func xattrs(p string) string {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(p, buf)
	if err != nil {
		return "-"
	}
	var out []string
	names := strings.Split(string(buf[:n]), "\x00")
	slices.Sort(names)
	for _, name := range names {
		short, ok := strings.CutPrefix(name, "user.")
		if !ok {
			continue
		}
		if base, _, _ := strings.Cut(short, "~"); strings.Contains(synthetic, " "+strings.SplitN(base, "@", 2)[0]+" ") {
			continue
		}
		n, err := unix.Lgetxattr(p, name, buf)
		if err != nil {
			break
		}
		out = append(out, name+"="+hex.EncodeToString(buf[:n]))
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, ";")
}

func errno(err error) string {
	var e unix.Errno
	if errors.As(err, &e) {
		return unix.ErrnoName(e)
	}
	return err.Error()
}

func encode(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 0x21 && c <= 0x7e && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}
