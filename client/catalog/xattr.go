package catalog

import "encoding/binary"

// An Xattr is an extended attribute of any namespace.
type Xattr struct {
	Name  string
	Value []byte
}

// ParseXattrs reads the column xattr (CVMFS, xattr.cc): a version and a count, then
// for each attribute the length of its name (1 byte), of its value (1 byte, in version
// 2 two, little endian), name and value. As in the C++ client, a malformed blob counts
// as no attributes and bytes behind the last one are ignored. The values are copies.
func ParseXattrs(blob []byte) []Xattr {
	if len(blob) < 2 || blob[0] != 1 && blob[0] != 2 {
		return nil
	}
	lengths := 1 + int(blob[0])
	var out []Xattr
	rest := blob[2:]
	for range blob[1] {
		if len(rest) < lengths {
			return nil
		}
		nameLen, valueLen := int(rest[0]), int(rest[1])
		if lengths == 3 {
			valueLen = int(binary.LittleEndian.Uint16(rest[1:]))
		}
		rest = rest[lengths:]
		if nameLen == 0 || len(rest) < nameLen+valueLen {
			return nil
		}
		name := cstring(rest[:nameLen])
		if len(name) != nameLen {
			return nil
		}
		out = append(out, Xattr{name, append([]byte{}, rest[nameLen:nameLen+valueLen]...)})
		rest = rest[nameLen+valueLen:]
	}
	return out
}
