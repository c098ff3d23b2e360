// Package sqlite reads SQLite database files, and only reads them.
//
// It is as much of the file format (https://www.sqlite.org/fileformat2.html) as the
// file catalogs of CVMFS need: rowid tables, indexes over plain columns, UTF-8 text,
// the rollback-journal format. There is no SQL: a caller names a [Table], its columns
// and an [Index], and searches or scans. Files in WAL mode, UTF-16 files, tables
// WITHOUT ROWID and indexes with expressions, collations, WHERE clauses or descending
// columns are refused or invisible.
//
// # Safety
//
// Files come from the network. Every offset, length and page number is checked before
// use, trees are at most [maxDepth] deep, a scan visits no more pages than the file
// has, and a record is at most [maxPayload] bytes long and never longer than the
// file. What breaks these rules gives an error that wraps [ErrDamaged].
//
// # Concurrency
//
// A [DB] is immutable after [Open]: any number of goroutines may use it, its tables
// and its indexes at once, without locks (none on the file either: catalogs are
// named by their content and never change). A [Row] belongs to one goroutine.
//
// # Memory
//
// Pages are read by ReadAt in blocks of at least 4 kB and kept in a [Cache], which any
// number of databases share.
package sqlite

import "errors"

// Errors that callers tell apart.
var (
	// ErrDamaged is wrapped by the errors about files that break the format's rules.
	ErrDamaged = errors.New("damaged database")
	// ErrUnsupported is wrapped by the errors about files that use a part of the
	// format which is not read here (WAL, UTF-16).
	ErrUnsupported = errors.New("unsupported database format")
)

// Limits.
const (
	maxDepth   = 20       // levels of a b-tree
	maxPayload = 17 << 20 // bytes of a record: the largest set of extended attributes is 16 MB
	maxKey     = 64 << 10 // bytes of an index entry: numbers or a path
	maxColumns = 32       // columns of a table
	maxSchema  = 1024     // rows of sqlite_schema
	maxSQL     = 64 << 10 // bytes of one CREATE statement
)
