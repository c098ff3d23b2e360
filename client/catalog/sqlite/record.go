package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// errShort: the part of the record at hand ends before what was asked for.
var errShort = errors.New("record ends early")

// length returns the bytes a value of serial type t takes in the record's body, -1
// for reserved types (file format, section 2.1).
func length(t uint64) int {
	switch {
	case t >= 12:
		if t > 2*maxPayload+12 {
			return -1
		}
		return int(t-12) / 2
	case t <= 4:
		return int(t)
	case t == 5:
		return 6
	case t == 6 || t == 7:
		return 8
	case t == 8 || t == 9:
		return 0
	}
	return -1
}

// integer decodes a value of serial type 1 to 6, 8 or 9; b is long enough.
func integer(t uint64, b []byte) int64 {
	switch t {
	case 1:
		return int64(int8(b[0]))
	case 2:
		return int64(int16(binary.BigEndian.Uint16(b)))
	case 3:
		return int64(int8(b[0]))<<16 | int64(binary.BigEndian.Uint16(b[1:]))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	case 5:
		return int64(int16(binary.BigEndian.Uint16(b)))<<32 | int64(binary.BigEndian.Uint32(b[2:]))
	case 6:
		return int64(binary.BigEndian.Uint64(b))
	case 9:
		return 1
	}
	return 0
}

// header walks over the values of a record.
type header struct {
	rec  []byte
	pos  int // in the header
	end  int // of the header
	body int // where the next value lies
}

func newHeader(rec []byte) (header, error) {
	size, n := varint(rec)
	if n == 0 || size > uint64(len(rec)) {
		return header{}, errShort
	}
	if size < uint64(n) {
		return header{}, fmt.Errorf("%w: record header of %d bytes", ErrDamaged, size)
	}
	return header{rec, n, int(size), int(size)}, nil
}

// next returns the type and place of the next value; it need not lie within rec.
func (h *header) next() (t uint64, off, n int, err error) {
	t, k := varint(h.rec[h.pos:h.end])
	n = length(t)
	if k == 0 || n < 0 || n > maxPayload-h.body {
		return 0, 0, 0, fmt.Errorf("%w: record header", ErrDamaged)
	}
	h.pos += k
	off = h.body
	h.body += n
	return t, off, n, nil
}

// field is a value of a row: its serial type and place.
type field struct {
	typ uint64
	off int
}

// A Row is a row of a table. The zero value is ready for [Table.Get]. A column number
// of -1 stands for a column the table does not have; its value is NULL, as is that of
// columns which were added to the table after the row was written.
type Row struct {
	Rowid int64

	db     *DB
	budget *budget // of the scan that found the row
	alias  int     // the column that is another name of the rowid, or -1
	rec    payload
	n      int
	fields [maxColumns]field
}

// set makes r the row of a record.
func (r *Row) set(t *Table, rowid int64, rec payload, b *budget) error {
	r.db, r.budget, r.alias, r.Rowid, r.rec, r.n = t.db, b, t.alias, rowid, rec, 0
	h, err := newHeader(rec.local)
	if err == errShort && len(rec.local) < rec.total {
		if err = r.load(); err == nil {
			h, err = newHeader(r.rec.local)
		}
	}
	if err != nil {
		return damaged(err)
	}
	for h.pos < h.end && r.n < len(t.columns) {
		typ, off, n, err := h.next()
		if err != nil {
			return err
		}
		if off+n > rec.total {
			return fmt.Errorf("%w: value runs over its record", ErrDamaged)
		}
		r.fields[r.n] = field{typ, off}
		r.n++
	}
	return nil
}

func (r *Row) load() error {
	data, err := r.db.full(r.rec, r.budget)
	if err != nil {
		return err
	}
	r.rec = payload{local: data, total: len(data)}
	return nil
}

// value returns the serial type and the bytes of a column.
func (r *Row) value(col int) (uint64, []byte, error) {
	if col < 0 || col >= r.n {
		return 0, nil, nil
	}
	f := r.fields[col]
	end := f.off + length(f.typ)
	if end > len(r.rec.local) {
		if err := r.load(); err != nil {
			return 0, nil, err
		}
	}
	return f.typ, r.rec.local[f.off:end:end], nil
}

// IsNull reports whether the column is NULL.
func (r *Row) IsNull(col int) bool {
	return col < 0 || col >= r.n || r.fields[col].typ == 0 && col != r.alias
}

// Int returns the integer in the column, 0 for NULL; a real number is cut to an
// integer. Other values give an error that wraps [ErrDamaged].
func (r *Row) Int(col int) (int64, error) {
	if col >= 0 && col == r.alias {
		return r.Rowid, nil
	}
	t, b, err := r.value(col)
	if err != nil {
		return 0, err
	}
	switch {
	case t == 7:
		f := math.Float64frombits(binary.BigEndian.Uint64(b))
		if !(f > math.MinInt64 && f < math.MaxInt64) {
			return 0, fmt.Errorf("%w: %g where an integer should be", ErrDamaged, f)
		}
		return int64(f), nil
	case t >= 12:
		return 0, fmt.Errorf("%w: text where an integer should be", ErrDamaged)
	}
	return integer(t, b), nil
}

// Bytes returns the text or blob in the column, nil for NULL; an integer is formatted.
// The bytes must not be changed and hold a larger piece of memory: copy what is kept.
func (r *Row) Bytes(col int) ([]byte, error) {
	t, b, err := r.value(col)
	if err != nil || t >= 12 {
		return b, err
	}
	if r.IsNull(col) {
		return nil, nil
	}
	if t == 7 {
		return strconv.AppendFloat(nil, math.Float64frombits(binary.BigEndian.Uint64(b)), 'g', 15, 64), nil
	}
	v, err := r.Int(col)
	return strconv.AppendInt(nil, v, 10), err
}

// damaged makes the internal errShort the error callers see.
func damaged(err error) error {
	if err == errShort {
		return fmt.Errorf("%w: %w", ErrDamaged, errShort)
	}
	return err
}
