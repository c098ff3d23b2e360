package catalog

import (
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// Flags are the bits of the column flags (CVMFS, catalog_sql.h). The hash algorithm
// and the compression, which it holds too, are in the [Entry].
type Flags uint32

// Bits of [Flags].
const (
	FlagDir              Flags = 1 << 0
	FlagNestedMountpoint Flags = 1 << 1 // in the parent catalog
	FlagRegular          Flags = 1 << 2
	FlagSymlink          Flags = 1 << 3 // set together with FlagRegular
	FlagSpecial          Flags = 1 << 4 // set together with FlagRegular
	FlagNestedRoot       Flags = 1 << 5 // in the nested catalog
	FlagChunked          Flags = 1 << 6
	FlagExternal         Flags = 1 << 7
	FlagBindMountpoint   Flags = 1 << 14 // without FlagNestedMountpoint
	FlagHidden           Flags = 1 << 15 // found, but not listed
	FlagDirectIO         Flags = 1 << 16

	hashShift, hashMask               = 8, 7
	compressionShift, compressionMask = 11, 7
)

// Kind is the type of a file: the bits S_IFMT of st_mode.
type Kind uint32

// The kinds of files.
const (
	FIFO        Kind = 0o010000
	CharDevice  Kind = 0o020000
	Directory   Kind = 0o040000
	BlockDevice Kind = 0o060000
	Regular     Kind = 0o100000
	Symlink     Kind = 0o120000
	Socket      Kind = 0o140000

	kindMask = 0o170000
)

// An Entry is what a catalog says about one path.
type Entry struct {
	Name      string // last component of the path, "" for the root
	Inode     uint64 // see the package comment
	Flags     Flags
	Mode      uint32 // all of st_mode, the kind too
	Nlink     uint32 // as the server counted it
	LinkGroup uint32 // hard-link group within the catalog, 0 for none
	UID, GID  uint32
	NoOwner   bool   // legacy catalog: UID and GID are unknown, the user of the mount owns all
	MtimeNsec uint32 // nanoseconds to add to Mtime
	Mtime     int64  // seconds since 1970
	Size      int64  // bytes; of a symbolic link, of the raw target; 0 for devices
	Rdev      uint64 // device number of a CharDevice or BlockDevice
	HasXattrs bool   // there are extended attributes, see [Tree.Xattrs]

	// Hash names a regular file's object; null for other kinds and, mostly, for
	// chunked files.
	Hash        object.Hash
	Compression object.Compression // of the object, or of the chunks
	Symlink     string             // the target as written, see [ExpandSymlink]

	rowid int64
}

// Kind returns the type of the file.
func (e *Entry) Kind() Kind { return Kind(e.Mode & kindMask) }

// IsDir reports whether the entry is a directory.
func (e *Entry) IsDir() bool { return e.Kind() == Directory }

// IsMountpoint reports whether another catalog describes what lies below.
func (e *Entry) IsMountpoint() bool {
	return e.Flags&(FlagNestedMountpoint|FlagBindMountpoint) != 0
}

// IsChunked reports whether the content lies in chunks, see [Tree.Chunks].
func (e *Entry) IsChunked() bool { return e.Flags&FlagChunked != 0 }

// IsExternal reports whether the content lies on the external servers.
func (e *Entry) IsExternal() bool { return e.Flags&FlagExternal != 0 }

// IsHidden reports whether the entry is left out of listings.
func (e *Entry) IsHidden() bool { return e.Flags&FlagHidden != 0 }

// IsDirectIO reports whether the kernel must not cache the content.
func (e *Entry) IsDirectIO() bool { return e.Flags&FlagDirectIO != 0 }

// ModTime returns the time of modification.
func (e *Entry) ModTime() time.Time { return time.Unix(e.Mtime, int64(e.MtimeNsec)) }
