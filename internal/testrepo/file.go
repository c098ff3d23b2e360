package testrepo

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// storeFiles writes the objects of a directory's regular files, several at once.
func (p *publication) storeFiles(path string, dir *inode) error {
	var g errgroup.Group
	g.SetLimit(4)
	for _, name := range dir.names() {
		n := dir.children[name]
		if !n.is(typeRegular) || n.links > 1 && p.linked[n] {
			continue
		}
		if n.links > 1 {
			p.linked[n] = true
		}
		g.Go(func() error {
			if err := p.storeFile(path+"/"+name, n); err != nil {
				return fmt.Errorf("publish %q: %w", path+"/"+name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// storeFile writes the object or the chunks of one file.
func (p *publication) storeFile(path string, n *inode) error {
	src := n.src
	if other := p.content[path]; other != nil {
		src = other
	}
	r, err := src.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if n.external {
		return p.storeExternal(path, n, r)
	}
	size := p.chunkSize(n)
	if size == 0 {
		o, err := p.store.put(r, 0, p.plain(n))
		n.objects = []Object{o}
		return err
	}
	for off := int64(0); off < n.src.Size(); off += size {
		o, err := p.store.put(io.LimitReader(r, size), 'P', p.plain(n))
		if err != nil {
			return err
		}
		n.objects = append(n.objects, o)
	}
	return nil
}

// storeExternal writes an external file below ExternalDir; its hash is that of the
// bytes on the wire, which are the plain content.
func (p *publication) storeExternal(path string, n *inode, r io.Reader) error {
	if p.repo.ExternalDir == "" {
		return fmt.Errorf("external file without ExternalDir")
	}
	file := filepath.Join(p.repo.ExternalDir, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	size := p.chunkSize(n)
	if size == 0 {
		size = max(n.src.Size(), 1)
	}
	for off := int64(0); off == 0 || off < n.src.Size(); off += size {
		h := p.repo.Hash.new()
		c, err := io.Copy(io.MultiWriter(h, f), io.LimitReader(r, size))
		if err != nil {
			return err
		}
		d := h.Sum(nil)
		n.objects = append(n.objects, Object{Hash: p.repo.Hash.text(d), Size: c, Stored: c, digest: d})
	}
	return nil
}

// chunkSize returns the size of a file's pieces, 0 for a file in one.
func (p *publication) chunkSize(n *inode) int64 {
	size := n.chunk
	if size == 0 && p.repo.ChunkSize > 0 && n.src.Size() > p.repo.ChunkSize {
		size = p.repo.ChunkSize
	}
	if n.src.Size() == 0 {
		return 0
	}
	return size
}

// plain reports whether a file's objects are stored as they are.
func (p *publication) plain(n *inode) bool { return p.repo.Stored || n.stored || n.external }

// fileRow fills in what a row says of a regular file.
func (p *publication) fileRow(r *row, n *inode) {
	r.size = n.src.Size()
	r.flags = flagFile | int64(p.repo.Hash)<<shiftHash
	if p.plain(n) {
		r.flags |= 1 << shiftCompression
	}
	if n.external {
		r.flags |= flagExternal
	}
	if n.direct {
		r.flags |= flagDirectIO
	}
	if p.chunkSize(n) == 0 {
		r.hash = n.objects[0].digest
		return
	}
	r.flags |= flagChunked
	size := p.chunkSize(n)
	for i, o := range n.objects {
		off := int64(i) * size
		r.chunks = append(r.chunks, chunk{off, min(size, r.size-off), o.digest})
	}
}

// xattrBlob returns the extended attributes as a catalog holds them, nil for none:
// version 1, or 2 when a value is longer than 255 bytes (CVMFS, xattr.cc).
func xattrBlob(attrs map[string]string) ([]byte, error) {
	if len(attrs) == 0 {
		return nil, nil
	}
	wide := false
	for k, v := range attrs {
		if k == "" || len(k) > 255 || len(v) > 65535 || len(attrs) > 255 {
			return nil, fmt.Errorf("extended attribute %q does not fit the format", k)
		}
		wide = wide || len(v) > 255
	}
	out := []byte{1, byte(len(attrs))}
	if wide {
		out[0] = 2
	}
	for _, k := range slices.Sorted(maps.Keys(attrs)) {
		v := attrs[k]
		out = append(out, byte(len(k)), byte(len(v)))
		if wide {
			out = append(out, byte(len(v)>>8))
		}
		out = append(append(out, k...), v...)
	}
	return out, nil
}
