package testrepo

import "time"

// An Option sets one property of an entry.
type Option func(*inode)

// Mode sets the permission bits, set-uid, set-gid and sticky among them.
func Mode(perm uint32) Option {
	return func(n *inode) { n.mode = n.mode&typeMask | perm&0o7777 }
}

// Owner sets user and group id.
func Owner(uid, gid uint32) Option {
	return func(n *inode) { n.uid, n.gid = uid, gid }
}

// MTime sets the modification time.
func MTime(t time.Time) Option {
	return func(n *inode) { n.mtime = t }
}

// XAttr adds an extended attribute; the name has its namespace ("user.colour").
func XAttr(name, value string) Option {
	return func(n *inode) {
		if n.xattrs == nil {
			n.xattrs = map[string]string{}
		}
		n.xattrs[name] = value
	}
}

// Content sets the content of a file.
func Content(s Source) Option {
	return func(n *inode) { n.src = s }
}

// Chunked cuts a file into pieces of size bytes (the last one may be shorter). An
// empty file has no pieces and stays whole.
func Chunked(size int64) Option {
	return func(n *inode) { n.chunk = size }
}

// Stored stores a file's objects as they are in a repository that compresses.
func Stored() Option {
	return func(n *inode) { n.stored = true }
}

// External marks a file whose content is not in the repository: it lies, as it is,
// in the repository's ExternalDir under its path name.
func External() Option {
	return func(n *inode) { n.external = true }
}

// Hidden leaves an entry out of listings; it can still be looked up.
func Hidden() Option {
	return func(n *inode) { n.hidden = true }
}

// DirectIO marks a file that the kernel must not keep in its page cache.
func DirectIO() Option {
	return func(n *inode) { n.direct = true }
}
