package catalog

import (
	"fmt"
	"strings"
)

// counterNames are the counters of a catalog, sorted (CVMFS, catalog_counters_impl.h).
var counterNames = [...]string{"chunked", "chunked_size", "chunks", "dir", "external", "external_file_size",
	"file_size", "nested", "regular", "special", "symlink", "xattr"}

// Counters count what a catalog (Self) and those below it (Subtree) hold, by names
// such as "regular", "dir" or "file_size". A name that a catalog does not know has 0.
type Counters struct {
	Self, Subtree map[string]int64
}

// Entries returns the number of files, links, special files and directories: what
// statfs reports. The top directory of a nested catalog counts twice, once in each.
func (c Counters) Entries() int64 { return entries(c.Self) + entries(c.Subtree) }

func entries(m map[string]int64) int64 {
	return m["regular"] + m["symlink"] + m["special"] + m["dir"]
}

// String returns lines "name,number" of Self and Subtree together, sorted by name: the
// form of the magic attributes repo_counters and catalog_counters.
func (c Counters) String() string {
	var b strings.Builder
	for _, n := range counterNames {
		fmt.Fprintf(&b, "%s,%d\n", n, c.Self[n]+c.Subtree[n])
	}
	return b.String()
}

// Counters reads the counters of a catalog.
func (c *Catalog) Counters() (Counters, error) {
	out := Counters{map[string]int64{}, map[string]int64{}}
	t := c.db.Table("statistics")
	if t == nil { // legacy
		return out, nil
	}
	counter, value := t.Column("counter"), t.Column("value")
	for row, err := range t.Rows() {
		if err != nil {
			return out, err
		}
		name, err := row.Bytes(counter)
		if err != nil {
			return out, err
		}
		for _, n := range counterNames {
			m := out.Self
			switch string(name) {
			case "self_" + n:
			case "subtree_" + n:
				m = out.Subtree
			default:
				continue
			}
			if m[n], err = row.Int(value); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}
