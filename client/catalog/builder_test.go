package catalog

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

const schemaSQL = `CREATE TABLE properties (key TEXT, value TEXT, CONSTRAINT pk_properties PRIMARY KEY (key));
CREATE TABLE catalog (md5path_1 INTEGER, md5path_2 INTEGER, parent_1 INTEGER, parent_2 INTEGER, hardlinks INTEGER, hash BLOB, size INTEGER, mode INTEGER,
 mtime INTEGER, mtimens INTEGER, flags INTEGER, name TEXT, symlink TEXT, uid INTEGER, gid INTEGER, xattr BLOB, CONSTRAINT pk_catalog PRIMARY KEY (md5path_1, md5path_2));
CREATE INDEX idx_catalog_parent ON catalog (parent_1, parent_2);
CREATE TABLE chunks (md5path_1 INTEGER, md5path_2 INTEGER, offset INTEGER, size INTEGER, hash BLOB, CONSTRAINT pk_chunks PRIMARY KEY (md5path_1, md5path_2, offset, size),
 FOREIGN KEY (md5path_1, md5path_2) REFERENCES catalog(md5path_1, md5path_2));
CREATE TABLE nested_catalogs (path TEXT, sha1 TEXT, size INTEGER, CONSTRAINT pk_nested_catalogs PRIMARY KEY (path));
CREATE TABLE bind_mountpoints (path TEXT, sha1 TEXT, size INTEGER, CONSTRAINT pk_bind_mountpoints PRIMARY KEY (path));
CREATE TABLE statistics (counter TEXT, value INTEGER, CONSTRAINT pk_statistics PRIMARY KEY (counter));
INSERT INTO properties VALUES ('schema', '2.5'), ('schema_revision', '7')`

// builder makes a catalog in SQLite itself.
type builder struct {
	t    testing.TB
	path string
	db   *sql.DB
	tx   *sql.Tx
}

// newBuilder starts a catalog with a root directory at prefix.
func newBuilder(t testing.TB, pageSize int, prefix string) *builder {
	t.Helper()
	b := &builder{t: t, path: filepath.Join(t.TempDir(), "catalog")}
	var err error
	if b.db, err = sql.Open("sqlite", b.path); err != nil {
		t.Fatal(err)
	}
	b.db.SetMaxOpenConns(1)
	if _, err := b.db.Exec(fmt.Sprintf("PRAGMA page_size = %d; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; %s", pageSize, schemaSQL)); err != nil {
		t.Fatal(err)
	}
	if b.tx, err = b.db.Begin(); err != nil {
		t.Fatal(err)
	}
	flags := FlagDir
	if prefix != "" {
		b.exec("INSERT INTO properties VALUES ('root_prefix', ?)", prefix)
		flags |= FlagNestedRoot
	}
	b.add(prefix, uint32(Directory)|0o755, flags)
	return b
}

func (b *builder) exec(query string, args ...any) {
	b.t.Helper()
	if _, err := b.tx.Exec(query, args...); err != nil {
		b.t.Fatal(err)
	}
}

// set changes columns of a path.
func (b *builder) set(path, assignments string, args ...any) {
	b.t.Helper()
	p1, p2 := key(path)
	b.exec("UPDATE catalog SET "+assignments+" WHERE md5path_1 = ? AND md5path_2 = ?", append(args, p1, p2)...)
}

func key(path string) (int64, int64) {
	sum := md5.Sum([]byte(path))
	return int64(binary.LittleEndian.Uint64(sum[:8])), int64(binary.LittleEndian.Uint64(sum[8:]))
}

// add adds a row; the hash of a regular file is made up.
func (b *builder) add(path string, mode uint32, flags Flags) {
	b.t.Helper()
	p1, p2 := key(path)
	q1, q2 := key(parent(path))
	if path == "" {
		q1, q2 = 0, 0
	}
	var hash []byte
	if mode&kindMask == uint32(Regular) {
		hash = object.SHA1.Sum([]byte(path)).Digest()
	}
	b.exec("INSERT INTO catalog VALUES (?,?,?,?,1,?,?,?,1700000000,123456789,?,?,'',1000,1001,NULL)",
		p1, p2, q1, q2, hash, len(path), mode, flags, path[strings.LastIndexByte(path, '/')+1:])
}

func (b *builder) file(path string) { b.add(path, uint32(Regular)|0o644, FlagRegular) }
func (b *builder) dir(path string)  { b.add(path, uint32(Directory)|0o755, FlagDir) }

// nest adds a nested catalog and its mountpoint.
func (b *builder) nest(path, hash string) {
	b.add(path, uint32(Directory)|0o755, FlagDir|FlagNestedMountpoint)
	b.exec("INSERT INTO nested_catalogs VALUES (?, ?, 0)", path, hash)
}

// bind adds a bind mountpoint.
func (b *builder) bind(path, hash string) {
	b.add(path, uint32(Directory)|0o755, FlagDir|FlagBindMountpoint)
	b.exec("INSERT INTO bind_mountpoints VALUES (?, ?, 0)", path, hash)
}

// bytes ends the catalog.
func (b *builder) bytes() []byte {
	b.t.Helper()
	if err := b.tx.Commit(); err != nil {
		b.t.Fatal(err)
	}
	if err := b.db.Close(); err != nil {
		b.t.Fatal(err)
	}
	data, err := os.ReadFile(b.path)
	if err != nil {
		b.t.Fatal(err)
	}
	return data
}

// memory is a loader of catalogs in memory.
type memory struct {
	mu     sync.Mutex
	files  map[object.Hash][]byte
	loads  map[string]int // by mountpoint
	before func(ctx context.Context, mountpoint string) error
	open   atomic.Int64
}

func newMemory() *memory {
	return &memory{files: map[object.Hash][]byte{}, loads: map[string]int{}}
}

// put stores a catalog and returns its hash.
func (m *memory) put(data []byte) object.Hash {
	h := object.SHA1.Sum(data)
	m.files[h] = data
	return h
}

func (m *memory) LoadCatalog(ctx context.Context, h object.Hash, mountpoint string) (File, error) {
	m.mu.Lock()
	m.loads[mountpoint]++
	data := m.files[h]
	m.mu.Unlock()
	if m.before != nil {
		if err := m.before(ctx, mountpoint); err != nil {
			return nil, err
		}
	}
	if data == nil {
		return nil, os.ErrNotExist
	}
	return newMemFile(data, &m.open), nil
}

// many makes a repository of nested catalogs with dirs directories of files files.
func many(t testing.TB, catalogs, dirs, files int) (*memory, object.Hash) {
	t.Helper()
	m := newMemory()
	root := newBuilder(t, 1024, "")
	for c := range catalogs {
		mp := fmt.Sprintf("/c%02d", c)
		b := newBuilder(t, 1024, mp)
		for d := range dirs {
			dir := fmt.Sprintf("%s/d%02d", mp, d)
			b.dir(dir)
			for f := range files {
				b.file(fmt.Sprintf("%s/file%03d.txt", dir, f))
			}
		}
		root.nest(mp, m.put(b.bytes()).String())
	}
	return m, m.put(root.bytes())
}
