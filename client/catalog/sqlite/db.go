package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// headerSize is the size of the database header at the start of page 1, in bytes.
const headerSize = 100

// A DB is an open database.
type DB struct {
	r        io.ReaderAt
	size     int64
	pageSize int
	usable   int    // bytes of a page without the reserved ones at its end
	pages    uint32 // whole pages in the file
	block    int    // bytes of a cache block: a multiple of the page size
	cache    *Cache
	id       uint64 // of this database in the cache
	tables   map[string]*Table
}

// Open reads the header and the schema of the database in the first size bytes of r,
// which must not change. A nil cache means a small one of its own. There is nothing to
// close but r, and that only after the last use of the DB.
//
// Errors wrap [ErrDamaged], [ErrUnsupported] or the reader's error.
func Open(r io.ReaderAt, size int64, cache *Cache) (*DB, error) {
	var h [headerSize]byte
	if size < headerSize {
		return nil, fmt.Errorf("%w: %d bytes are less than a header", ErrDamaged, size)
	}
	if n, err := r.ReadAt(h[:], 0); n < len(h) {
		return nil, fmt.Errorf("read database header: %w", short(err))
	}
	if cache == nil {
		cache = NewCache(0)
	}
	db := &DB{r: r, size: size, cache: cache, id: cache.ids.Add(1)}
	if err := db.header(h[:]); err != nil {
		return nil, err
	}
	if err := db.readSchema(); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	return db, nil
}

// header checks the database header (file format, section 1.3).
func (db *DB) header(h []byte) error {
	if string(h[:16]) != "SQLite format 3\x00" {
		return fmt.Errorf("%w: not a SQLite file", ErrDamaged)
	}
	db.pageSize = int(binary.BigEndian.Uint16(h[16:]))
	if db.pageSize == 1 {
		db.pageSize = 65536
	}
	if db.pageSize < 512 || db.pageSize&(db.pageSize-1) != 0 {
		return fmt.Errorf("%w: page size %d", ErrDamaged, db.pageSize)
	}
	if h[18] != 1 || h[19] != 1 {
		return fmt.Errorf("%w: write version %d, read version %d", ErrUnsupported, h[18], h[19])
	}
	db.usable = db.pageSize - int(h[20])
	if db.usable < 480 {
		return fmt.Errorf("%w: %d of %d bytes reserved", ErrDamaged, h[20], db.pageSize)
	}
	if h[21] != 64 || h[22] != 32 || h[23] != 32 {
		return fmt.Errorf("%w: payload fractions %d, %d, %d", ErrDamaged, h[21], h[22], h[23])
	}
	if enc := binary.BigEndian.Uint32(h[56:]); enc != 1 {
		return fmt.Errorf("%w: text encoding %d is not UTF-8", ErrUnsupported, enc)
	}
	if f := binary.BigEndian.Uint32(h[44:]); f < 1 || f > 4 {
		return fmt.Errorf("%w: schema format %d", ErrUnsupported, f)
	}
	pages := db.size / int64(db.pageSize)
	if pages < 1 || pages > 0xfffffffe {
		return fmt.Errorf("%w: %d bytes with pages of %d", ErrDamaged, db.size, db.pageSize)
	}
	db.pages = uint32(pages)
	// The page count in the header holds only when the same program wrote both fields.
	if n := binary.BigEndian.Uint32(h[28:]); n > db.pages && string(h[24:28]) == string(h[92:96]) {
		return fmt.Errorf("%w: %d of %d pages are missing", ErrDamaged, n-db.pages, n)
	}
	db.block = max(db.pageSize, blockSize)
	return nil
}

// page returns the usable bytes of a page. They must not be changed.
func (db *DB) page(no uint32) ([]byte, error) {
	if no < 1 || no > db.pages {
		return nil, fmt.Errorf("%w: page %d of %d", ErrDamaged, no, db.pages)
	}
	off := int64(no-1) * int64(db.pageSize)
	bno := uint32(off / int64(db.block))
	b := db.cache.get(db.id, bno, db.block)
	if b == nil {
		start := int64(bno) * int64(db.block)
		b = &block{db: db.id, no: bno, data: make([]byte, min(int64(db.block), db.size-start))}
		if n, err := db.r.ReadAt(b.data, start); n < len(b.data) {
			return nil, fmt.Errorf("read page %d: %w", no, short(err))
		}
		db.cache.put(b, db.block)
	}
	i := int(off - int64(bno)*int64(db.block))
	return b.data[i : i+db.usable : i+db.usable], nil
}

// short makes the end of a file that should have gone on damage of the file.
func short(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the file ends early", ErrDamaged)
	}
	return err
}
