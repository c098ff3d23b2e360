package testrepo

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// schema is schema 2.5, revision 7, as the server tools create it (CVMFS,
// catalog_sql.cc); a test compares it with one of theirs.
var schema = []string{
	"CREATE TABLE properties (key TEXT, value TEXT, CONSTRAINT pk_properties PRIMARY KEY (key))",
	"CREATE TABLE catalog (md5path_1 INTEGER, md5path_2 INTEGER, parent_1 INTEGER, parent_2 INTEGER, hardlinks INTEGER, hash BLOB, size INTEGER, mode INTEGER, mtime INTEGER, mtimens INTEGER, flags INTEGER, name TEXT, symlink TEXT, uid INTEGER, gid INTEGER, xattr BLOB,  CONSTRAINT pk_catalog PRIMARY KEY (md5path_1, md5path_2))",
	"CREATE INDEX idx_catalog_parent ON catalog (parent_1, parent_2)",
	"CREATE TABLE chunks (md5path_1 INTEGER, md5path_2 INTEGER, offset INTEGER, size INTEGER,  hash BLOB,  CONSTRAINT pk_chunks PRIMARY KEY (md5path_1, md5path_2, offset, size),  FOREIGN KEY (md5path_1, md5path_2) REFERENCES    catalog(md5path_1, md5path_2))",
	"CREATE TABLE nested_catalogs (path TEXT, sha1 TEXT, size INTEGER, CONSTRAINT pk_nested_catalogs PRIMARY KEY (path))",
	"CREATE TABLE bind_mountpoints (path TEXT, sha1 TEXT, size INTEGER, CONSTRAINT pk_bind_mountpoints PRIMARY KEY (path))",
	"CREATE TABLE statistics (counter TEXT, value INTEGER, CONSTRAINT pk_statistics PRIMARY KEY (counter))",
}

// Bits of the flags column (CVMFS, catalog_sql.h).
const (
	flagDir         = 1
	flagNestedMount = 2
	flagFile        = 4
	flagLink        = 8
	flagSpecial     = 16
	flagNestedRoot  = 32
	flagChunked     = 64
	flagExternal    = 128
	flagBindMount   = 0x4000
	flagHidden      = 0x8000
	flagDirectIO    = 0x10000

	shiftHash        = 8
	shiftCompression = 11
)

// row is one row of the table catalog with its chunks.
type row struct {
	path    string // absolute, "" for the root
	parent  string
	root    bool // the repository's root, which has no parent
	links   int64
	hash    []byte // nil: NULL
	size    int64
	mode    uint32
	sec     int64
	nsec    int64 // 0: NULL
	flags   int64
	name    string
	symlink string
	uid     uint32
	gid     uint32
	xattr   []byte
	chunks  []chunk
}

type chunk struct {
	offset, size int64
	hash         []byte
}

// database is a catalog being written: one SQLite file, one transaction.
type database struct {
	path   string
	mount  string // mount point, "" for the root catalog
	db     *sql.DB
	tx     *sql.Tx
	insert *sql.Stmt
	chunk  *sql.Stmt

	self, subtree counters
	groups        map[*inode]int64 // hard-link groups
}

// newDatabase creates an empty catalog in a temporary file, which close removes.
func newDatabase(mount string, ddl []string) (*database, error) {
	f, err := os.CreateTemp("", "testrepo-catalog-")
	if err != nil {
		return nil, err
	}
	f.Close()
	d := &database{path: f.Name(), mount: mount, groups: map[*inode]int64{}}
	if d.db, err = sql.Open("sqlite", "file:"+d.path); err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.db.SetMaxOpenConns(1)
	for _, q := range append([]string{"PRAGMA page_size=1024", "PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF"}, ddl...) {
		if _, err := d.db.Exec(q); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", q, err), d.close())
		}
	}
	if d.tx, err = d.db.Begin(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func newCatalog(mount string) (*database, error) {
	d, err := newDatabase(mount, schema)
	if err != nil {
		return nil, err
	}
	d.insert, err = d.tx.Prepare("INSERT INTO catalog VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
	if err == nil {
		d.chunk, err = d.tx.Prepare("INSERT INTO chunks VALUES (?,?,?,?,?)")
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *database) add(r *row) error {
	k1, k2 := pathKey(r.path)
	var p1, p2 int64
	if !r.root {
		p1, p2 = pathKey(r.parent)
	}
	var nsec any
	if r.nsec != 0 {
		nsec = r.nsec
	}
	_, err := d.insert.Exec(k1, k2, p1, p2, r.links, blob(r.hash), r.size, r.mode, r.sec, nsec, r.flags,
		r.name, r.symlink, r.uid, r.gid, blob(r.xattr))
	if err != nil {
		return fmt.Errorf("add %q to catalog: %w", r.path, err)
	}
	for _, c := range r.chunks {
		if _, err := d.chunk.Exec(k1, k2, c.offset, c.size, c.hash); err != nil {
			return fmt.Errorf("add chunk of %q: %w", r.path, err)
		}
	}
	d.self.count(r)
	return nil
}

// blob makes NULL of nil.
func blob(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// addCatalog lists another catalog, in nested_catalogs or bind_mountpoints.
func (d *database) addCatalog(table, path, hash string, size int64) error {
	return d.exec("INSERT INTO "+table+" VALUES (?,?,?)", path, hash, size)
}

func (d *database) exec(query string, args ...any) error {
	if _, err := d.tx.Exec(query, args...); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

// finish writes properties and statistics, ends the transaction and closes the
// file, which stays at d.path until close. TTL is 0 for nested catalogs.
func (d *database) finish(ttl int, revision uint64, modified int64, previous string, statements []string) error {
	props := [][2]string{{"schema", "2.5"}, {"schema_revision", "7"}}
	if d.mount != "" {
		props = append(props, [2]string{"root_prefix", d.mount})
	} else {
		props = append(props, [2]string{"TTL", strconv.Itoa(ttl)})
	}
	props = append(props, [2]string{"last_modified", strconv.FormatInt(modified, 10)},
		[2]string{"revision", strconv.FormatUint(revision, 10)}, [2]string{"previous_revision", previous})
	for _, kv := range props {
		if err := d.exec("INSERT INTO properties VALUES (?,?)", kv[0], kv[1]); err != nil {
			return err
		}
	}
	for _, s := range statistics(d.self, d.subtree) {
		if err := d.exec("INSERT INTO statistics VALUES (?,?)", s.name, s.value); err != nil {
			return err
		}
	}
	return d.commit(statements)
}

func (d *database) commit(statements []string) error {
	for _, q := range statements {
		if err := d.exec(q); err != nil {
			return err
		}
	}
	if err := d.tx.Commit(); err != nil {
		return err
	}
	d.tx = nil
	err := d.db.Close()
	d.db = nil
	return err
}

// close gives up what is open and removes the file.
func (d *database) close() error {
	var errs []error
	if d.tx != nil {
		errs = append(errs, d.tx.Rollback())
	}
	if d.db != nil {
		errs = append(errs, d.db.Close())
	}
	return errors.Join(append(errs, os.Remove(d.path))...)
}
