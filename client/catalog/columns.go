package catalog

import (
	"bytes"
	"fmt"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog/sqlite"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// columns are the column numbers of the table catalog; -1 where its schema revision
// has no such column.
type columns struct {
	md5path1, md5path2, parent1, parent2, hardlinks, hash, size, mode, mtime, mtimens, flags, name, symlink, uid, gid, xattr int
}

func newColumns(t *sqlite.Table) (columns, error) {
	c := columns{
		t.Column("md5path_1"), t.Column("md5path_2"), t.Column("parent_1"), t.Column("parent_2"),
		t.Column("hardlinks"), t.Column("hash"), t.Column("size"), t.Column("mode"), t.Column("mtime"), t.Column("mtimens"),
		t.Column("flags"), t.Column("name"), t.Column("symlink"), t.Column("uid"), t.Column("gid"), t.Column("xattr"),
	}
	for _, n := range [...]int{c.md5path1, c.md5path2, c.parent1, c.parent2, c.hash, c.size, c.mode, c.mtime, c.flags, c.name, c.symlink} {
		if n < 0 {
			return c, fmt.Errorf("%w: a column of table catalog is missing", ErrDamaged)
		}
	}
	return c, nil
}

// ints reads integer columns one after the other and keeps the first error. (It does
// not keep the row too: the compiler would put that on the heap.)
type ints struct{ err error }

func (r *ints) get(row *sqlite.Row, col int) int64 {
	v, err := row.Int(col)
	if err != nil && r.err == nil {
		r.err = err
	}
	return v
}

// entry makes an entry of a row. The name is the caller's.
func (c *Catalog) entry(row *sqlite.Row, name string) (Entry, error) {
	var in ints
	e := Entry{
		Name:      name,
		Flags:     Flags(in.get(row, c.col.flags)),
		Mode:      uint32(in.get(row, c.col.mode)) & 0o177777,
		UID:       uint32(in.get(row, c.col.uid)),
		GID:       uint32(in.get(row, c.col.gid)),
		Mtime:     in.get(row, c.col.mtime),
		Size:      in.get(row, c.col.size),
		Nlink:     1,
		NoOwner:   c.col.uid < 0 || c.col.gid < 0,
		HasXattrs: !row.IsNull(c.col.xattr),
		rowid:     row.Rowid,
	}
	if c.col.hardlinks >= 0 {
		links := in.get(row, c.col.hardlinks)
		e.Nlink, e.LinkGroup = uint32(links), uint32(links>>32)
	}
	if ns := in.get(row, c.col.mtimens); ns > 0 && ns < 1e9 {
		e.MtimeNsec = uint32(ns)
	}
	if in.err != nil {
		return e, in.err
	}
	if e.Size < 0 {
		return e, fmt.Errorf("%w: size %d", ErrDamaged, e.Size)
	}
	var err error
	switch e.Kind() {
	case Regular:
		err = c.content(&e, row)
	case Symlink:
		var b []byte
		b, err = row.Bytes(c.col.symlink)
		e.Symlink = cstring(b)
		e.Size = int64(len(e.Symlink))
	case CharDevice, BlockDevice:
		e.Rdev, e.Size = uint64(e.Size), 0
	case Directory, FIFO, Socket:
	default:
		err = fmt.Errorf("%w: mode %o", ErrDamaged, e.Mode)
	}
	if err == nil {
		e.Inode, err = c.inodes.number(e.rowid, e.LinkGroup)
	}
	return e, err
}

// content fills in where the content of a regular file lies.
func (c *Catalog) content(e *Entry, row *sqlite.Row) error {
	e.Compression = object.Compression(e.Flags >> compressionShift & compressionMask)
	b, err := row.Bytes(c.col.hash)
	if err != nil || len(b) == 0 {
		return err
	}
	e.Hash, err = object.FromDigest(e.algorithm(), b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// algorithm returns the hash algorithm in the flags, which is that of the chunks too.
func (e *Entry) algorithm() object.Algorithm {
	return object.Algorithm(e.Flags>>hashShift&hashMask) + 1
}

// cstring copies a text of a catalog, which ends at a NUL if it has one.
func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
