package sqlite

import "bytes"

// A Key is a value to look for.
type Key struct {
	text  []byte
	n     int64
	isInt bool
}

// Int is the key of an integer column.
func Int(v int64) Key { return Key{n: v, isInt: true} }

// Text is the key of a text column. The bytes must not change while the key is used.
func Text(b []byte) Key { return Key{text: b} }

// compare orders a value of a record against k: NULL before numbers before text before
// blobs (file format, section 2.3).
func (k Key) compare(t uint64, b []byte) int {
	switch {
	case t == 0:
		return -1
	case t >= 12:
		if k.isInt || t%2 == 0 {
			return 1
		}
		return bytes.Compare(b, k.text)
	case !k.isInt:
		return -1
	case t == 7: // a real number in an integer column: no catalog has one
		return -1
	}
	v := integer(t, b)
	switch {
	case v < k.n:
		return -1
	case v > k.n:
		return 1
	}
	return 0
}

// compareRecord orders the first values of a record against keys.
func compareRecord(rec []byte, keys []Key) (int, error) {
	h, err := newHeader(rec)
	if err != nil {
		return 0, err
	}
	for i := range keys {
		t, off, n, err := h.next()
		if err != nil {
			return 0, err
		}
		if off+n > len(rec) {
			return 0, errShort
		}
		if c := keys[i].compare(t, rec[off:off+n]); c != 0 {
			return c, nil
		}
	}
	return 0, nil
}
