package testrepo

// counters are the statistics of a catalog (CVMFS, catalog_counters.h).
type counters struct {
	regular, symlink, special, dir, nested int64
	chunked, chunks, chunkedSize, fileSize int64
	xattr, external, externalFileSize      int64
}

// count adds a row to the statistics, as the server tools do: every name of a hard
// link counts, a nested catalog's directory counts in both catalogs.
func (c *counters) count(r *row) {
	switch {
	case r.flags&flagDir != 0:
		c.dir++
	case r.flags&flagLink != 0:
		c.symlink++
	case r.flags&flagSpecial != 0:
		c.special++
	default:
		c.regular++
		c.fileSize += r.size
	}
	if r.flags&flagChunked != 0 {
		c.chunked++
		c.chunkedSize += r.size
		c.chunks += int64(len(r.chunks))
	}
	if r.flags&flagExternal != 0 {
		c.external++
		c.externalFileSize += r.size
	}
	if r.xattr != nil {
		c.xattr++
	}
}

func (c *counters) add(o *counters) {
	to, from := c.fields(), o.fields()
	for i := range to {
		*to[i].value += *from[i].value
	}
}

type field struct {
	name  string
	value *int64
}

func (c *counters) fields() []field {
	return []field{
		{"chunked", &c.chunked}, {"chunked_size", &c.chunkedSize}, {"chunks", &c.chunks}, {"dir", &c.dir},
		{"external", &c.external}, {"external_file_size", &c.externalFileSize}, {"file_size", &c.fileSize},
		{"nested", &c.nested}, {"regular", &c.regular}, {"special", &c.special}, {"symlink", &c.symlink}, {"xattr", &c.xattr},
	}
}

type statistic struct {
	name  string
	value int64
}

// statistics returns the rows of the table of that name.
func statistics(self, subtree counters) []statistic {
	var out []statistic
	for _, f := range self.fields() {
		out = append(out, statistic{"self_" + f.name, *f.value})
	}
	for _, f := range subtree.fields() {
		out = append(out, statistic{"subtree_" + f.name, *f.value})
	}
	return out
}
