package options

import (
	"fmt"
	"strconv"
	"strings"
)

// IDMap replaces user or group ids. The zero value changes nothing.
type IDMap struct {
	ids    map[uint32]uint32
	rest   uint32
	isRest bool // "* N" was given
}

// Map returns what id is shown as.
func (m IDMap) Map(id uint32) uint32 {
	if to, ok := m.ids[id]; ok {
		return to
	}
	if m.isRest {
		return m.rest
	}
	return id
}

// ReadIDMap reads a CVMFS_UID_MAP or CVMFS_GID_MAP file: lines "FROM TO", "* TO"
// for all others, comments after '#' (CVMFS client, uid_map.h). An empty name is
// the empty map. Errors wrap [ErrUsage].
func ReadIDMap(name string) (IDMap, error) {
	if name == "" {
		return IDMap{}, nil
	}
	text, err := readFile(name)
	if err != nil {
		return IDMap{}, usagef("read id map %q: %w", name, err)
	}
	m, err := parseIDMap(text)
	if err != nil {
		return IDMap{}, usagef("id map %q: %w", name, err)
	}
	return m, nil
}

func parseIDMap(text string) (IDMap, error) {
	m := IDMap{ids: make(map[uint32]uint32)}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 2 {
			return m, fmt.Errorf("line %d: want two fields, have %d", n, len(f))
		}
		to, err := strconv.ParseUint(f[1], 10, 32)
		if err != nil {
			return m, fmt.Errorf("line %d: %q is no id", n, f[1])
		}
		if f[0] == "*" {
			m.rest, m.isRest = uint32(to), true
			continue
		}
		from, err := strconv.ParseUint(f[0], 10, 32)
		if err != nil {
			return m, fmt.Errorf("line %d: %q is no id", n, f[0])
		}
		m.ids[uint32(from)] = uint32(to)
	}
	return m, nil
}
