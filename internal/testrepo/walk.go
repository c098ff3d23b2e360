package testrepo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

// catalog writes the catalog of dir, mounted at mount, and those nested in it, and
// returns the statistics of all of them.
func (p *publication) catalog(mount string, dir *inode) (sum counters, err error) {
	d, err := newCatalog(mount)
	if err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	top := p.row(d, mount, dir)
	if mount == "" {
		top.root, top.name = true, ""
	} else {
		top.flags |= flagNestedRoot
	}
	if err := p.addRow(d, top); err != nil {
		return sum, err
	}
	if err := p.children(d, mount, dir); err != nil {
		return sum, err
	}
	revision, previous := uint64(1), nullHash
	if mount == "" {
		revision = p.repo.Revision
		if p.repo.Previous != nil {
			previous = p.repo.Previous.Root.Hash
		}
	}
	if err := d.finish(int(p.repo.TTL.Seconds()), revision, p.repo.Time.Unix(), previous, p.statements[mount]); err != nil {
		return sum, fmt.Errorf("catalog %q: %w", mount, err)
	}
	sum.add(&d.self)
	sum.add(&d.subtree)
	p.out.Catalogs[mount], err = p.putCatalog(d)
	return sum, err
}

// putCatalog makes an object of a finished catalog.
func (p *publication) putCatalog(d *database) (Object, error) {
	for _, edit := range p.catalogEdits[d.mount] {
		data, err := os.ReadFile(d.path)
		if err != nil {
			return Object{}, err
		}
		if data, err = edit(p, data); err != nil {
			return Object{}, err
		}
		if err := os.WriteFile(d.path, data, 0o600); err != nil {
			return Object{}, err
		}
	}
	f, err := os.Open(d.path)
	if err != nil {
		return Object{}, err
	}
	defer f.Close()
	if tail := p.catalogTail[d.mount]; tail != nil {
		z, err := tail.Open()
		if err != nil {
			return Object{}, err
		}
		defer z.Close()
		return p.store.put(io.MultiReader(f, z), 'C', false)
	}
	return p.store.put(f, 'C', false)
}

// children adds what lies below dir to the catalog.
func (p *publication) children(d *database, dirPath string, dir *inode) error {
	if err := p.storeFiles(dirPath, dir); err != nil {
		return err
	}
	for _, name := range dir.names() {
		n, sub := dir.children[name], dirPath+"/"+name
		r := p.row(d, sub, n)
		if r == nil {
			return fmt.Errorf("hard links of %q lie in different catalogs", sub)
		}
		switch {
		case n.bind != nil:
			r.flags |= flagBindMount
		case n.nested:
			r.flags |= flagNestedMount
		}
		blob, err := xattrBlob(n.xattrs)
		if err != nil {
			return fmt.Errorf("%q: %w", sub, err)
		}
		r.xattr = blob
		if err := p.addRow(d, r); err != nil {
			return err
		}
		if n.is(typeDir) {
			if err := p.below(d, sub, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// below adds what a directory leads to: its entries, or another catalog.
func (p *publication) below(d *database, sub string, n *inode) error {
	switch {
	case n.bind != nil:
		return d.addCatalog("bind_mountpoints", sub, n.bind.Root.Hash, n.bind.Root.Size)
	case n.nested:
		sum, err := p.catalog(sub, n)
		if err != nil {
			return err
		}
		d.self.nested++
		d.subtree.add(&sum)
		o := p.out.Catalogs[sub]
		return d.addCatalog("nested_catalogs", sub, o.Hash, o.Size)
	}
	return p.children(d, sub, n)
}

func (p *publication) addRow(d *database, r *row) error {
	if edit := p.rows[r.path]; edit != nil {
		edit(r)
	}
	return d.add(r)
}

// row returns the row of an entry without what depends on catalogs, nil when the
// hard links of n lie in different catalogs.
func (p *publication) row(d *database, at string, n *inode) *row {
	t := n.mtime
	if t.IsZero() {
		t = p.repo.Time
	}
	r := &row{
		path: at, parent: path.Dir(at), name: path.Base(at), mode: n.mode, uid: n.uid, gid: n.gid,
		sec: t.Unix(), nsec: int64(t.Nanosecond()), links: int64(n.links), symlink: n.target,
	}
	if r.parent == "/" {
		r.parent = ""
	}
	switch {
	case n.is(typeDir):
		r.flags, r.size, r.links = flagDir, 4096, n.dirLinks()
	case n.is(typeSymlink):
		r.flags, r.size = flagFile|flagLink, int64(len(n.target))
	case n.is(typeRegular):
		p.fileRow(r, n)
	default:
		r.flags, r.size = flagFile|flagSpecial, int64(n.rdev)
	}
	if n.hidden {
		r.flags |= flagHidden
	}
	if n.links > 1 {
		if p.home[n] == nil {
			p.home[n] = d
			d.groups[n] = int64(len(d.groups) + 1)
		}
		if p.home[n] != d {
			return nil
		}
		r.links |= d.groups[n] << 32
	}
	return r
}

// dirLinks returns a directory's link count as a file system on disk has it.
func (n *inode) dirLinks() int64 {
	if n.bind != nil {
		return n.bind.root.dirLinks()
	}
	sum := int64(2)
	for _, c := range n.children {
		if c.is(typeDir) {
			sum++
		}
	}
	return sum
}
