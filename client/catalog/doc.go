// Package catalog reads the file catalogs of a CVMFS repository.
//
// A catalog is an SQLite database that describes a subtree: one row per file,
// directory, symbolic link or special file, found by the MD5 of its path. A directory
// of it may be the mountpoint of a nested catalog, which describes what lies below in
// a database of its own; so the repository is a tree of catalogs, the root of which
// the manifest names by its hash. [Tree] shows that tree of catalogs as one tree of
// paths and loads nested catalogs when they are needed; [Catalog] is one of them.
//
// Terms: a catalog's mountpoint is the path where it is attached ("" for the root
// catalog). Its root prefix is the path under which its rows were written; the two
// differ below bind mountpoints, which show an older root catalog as a directory, and
// paths are translated then. Paths are absolute and without trailing slash: the root
// is "", all others look like "/a/b".
//
// Schema versions 1.x (legacy), 2.4 and 2.5 are read; columns a revision does not have
// yet count as empty, newer revisions and unknown flag bits are tolerated (CVMFS
// server and client: catalog_sql.h, catalog_sql.cc, catalog.cc, catalog_mgr_impl.h).
//
// # Inode numbers
//
// An entry's inode is the offset of its catalog plus its row number, as in the C++
// client, which keeps the numbers small enough for 32-bit programs. [Inodes] gives
// each catalog, known by mountpoint and hash, its offset when it is first attached
// and never again: a catalog that was detached comes back with the same numbers, and
// when trees of several revisions share one Inodes, catalogs that did not change keep
// theirs while no number is ever used for something else. Entries of one hard-link
// group have the number of the row first seen. The mountpoint of a nested catalog has
// the number of the row in the parent.
//
// # Damage
//
// Catalogs are verified by hash before they come here, but are not trusted for that:
// what is malformed gives an error that wraps [ErrDamaged], within bounded time and
// memory.
package catalog

import (
	"errors"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog/sqlite"
)

// Errors that callers tell apart. All others, [LoadError] above all, mean trouble too
// and never that a path does not exist.
var (
	// ErrNotFound: the repository has no such path.
	ErrNotFound = errors.New("no such path in the repository")
	// ErrNotDir: the path is no directory and cannot be listed.
	ErrNotDir = errors.New("not a directory")
	// ErrDamaged is wrapped by the errors about malformed catalogs.
	ErrDamaged = sqlite.ErrDamaged
	// ErrUnsupported is wrapped by the errors about catalogs of another format.
	ErrUnsupported = sqlite.ErrUnsupported
)
