package catalog

import (
	"fmt"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog/sqlite"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// A Chunk is a piece of a chunked file. Its object has the suffix P and the
// compression of the file.
type Chunk struct {
	Offset int64 // in the file, bytes
	Size   int64 // of the uncompressed piece, bytes, more than 0
	Hash   object.Hash
}

// chunks returns the chunks of a chunked file: without gaps, from 0 to the file's
// size.
func (c *Catalog) chunks(path string, e *Entry) ([]Chunk, error) {
	t := c.db.Table("chunks")
	if t == nil {
		return nil, fmt.Errorf("%w: no table chunks", ErrDamaged)
	}
	ix := t.Index("md5path_1", "md5path_2", "offset")
	key1, key2 := t.Column("md5path_1"), t.Column("md5path_2")
	offset, size, hash := t.Column("offset"), t.Column("size"), t.Column("hash")
	if ix == nil || size < 0 || hash < 0 {
		return nil, fmt.Errorf("%w: table chunks lacks a column or its index", ErrDamaged)
	}
	a, b := c.key(path)
	var out []Chunk
	var row sqlite.Row
	var end int64
	for _, err := range ix.Rows(&row, sqlite.Int(a), sqlite.Int(b)) {
		if err != nil {
			return nil, err
		}
		var in ints
		ch := Chunk{Offset: in.get(&row, offset), Size: in.get(&row, size)}
		if in.err != nil || !holds(&row, key1, a, key2, b) {
			return nil, fmt.Errorf("%w: index and row %d of table chunks differ", ErrDamaged, row.Rowid)
		}
		if ch.Offset != end || ch.Size <= 0 || ch.Size > e.Size-end {
			return nil, fmt.Errorf("%w: chunk of %d bytes at %d, file of %d", ErrDamaged, ch.Size, ch.Offset, e.Size)
		}
		end += ch.Size
		digest, err := row.Bytes(hash)
		if err == nil {
			ch.Hash, err = object.FromDigest(e.algorithm(), digest)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: chunk at %d: %w", ErrDamaged, ch.Offset, err)
		}
		out = append(out, ch)
	}
	if len(out) == 0 || end != e.Size {
		return nil, fmt.Errorf("%w: %d chunks of %d bytes, file of %d", ErrDamaged, len(out), end, e.Size)
	}
	return out, nil
}
