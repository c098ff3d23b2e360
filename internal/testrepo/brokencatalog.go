package testrepo

import (
	"database/sql"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
)

// OtherContent stores src as the object of the file at path, whose catalog row
// keeps the size of what the file was described with: with Zeros(1<<34) a bomb,
// with fewer bytes a file that ends early. The hash is that of the object.
func OtherContent(path string, src Source) Break {
	return func(p *publication) { p.content[absolute(path)] = src }
}

// WrongSize makes the catalog row of the file at path say size bytes.
func WrongSize(path string, size int64) Break {
	return editRow(path, func(r *row) { r.size = size })
}

// ChunkHole leaves chunk i out of a chunked file's list.
func ChunkHole(path string, i int) Break {
	return editRow(path, func(r *row) { r.chunks = slices.Delete(r.chunks, i, i+1) })
}

// ChunkOverlap makes chunk i, not the first, begin one byte early.
func ChunkOverlap(path string, i int) Break {
	return editRow(path, func(r *row) { r.chunks[i].offset--; r.chunks[i].size++ })
}

// NoChunks leaves a chunked file without any chunk.
func NoChunks(path string) Break {
	return editRow(path, func(r *row) { r.chunks = nil })
}

func editRow(path string, f func(*row)) Break {
	return func(p *publication) { p.rows[absolute(path)] = f }
}

// CatalogSQL runs statements on the catalog mounted at mount before it is closed,
// hashed and listed.
func CatalogSQL(mount string, statements ...string) Break {
	return func(p *publication) {
		p.statements[absolute(mount)] = append(p.statements[absolute(mount)], statements...)
	}
}

// EditCatalog changes the bytes of the catalog mounted at mount before they are
// hashed.
func EditCatalog(mount string, f func(db []byte) []byte) Break {
	return func(p *publication) {
		p.editCatalog(mount, func(_ *publication, b []byte) ([]byte, error) { return f(b), nil })
	}
}

func (p *publication) editCatalog(mount string, f func(*publication, []byte) ([]byte, error)) {
	p.catalogEdits[absolute(mount)] = append(p.catalogEdits[absolute(mount)], f)
}

// DamagedCatalog overwrites some bytes behind the header of the catalog's SQLite
// file, which is hashed with them; seed chooses where and how.
func DamagedCatalog(mount string, seed uint64) Break {
	return EditCatalog(mount, func(db []byte) []byte {
		rng := rand.New(rand.NewPCG(seed, 2))
		for range 1 + rng.IntN(64) {
			db[100+rng.IntN(len(db)-100)] = byte(rng.Uint32())
		}
		return db
	})
}

// CatalogTail appends content to the catalog's SQLite file, Zeros(1<<34) for a
// catalog that is a bomb.
func CatalogTail(mount string, tail Source) Break {
	return func(p *publication) { p.catalogTail[absolute(mount)] = tail }
}

// CyclicNested makes the catalog mounted at mount list itself as nested at its own
// mount point: not truly itself, which no hash allows, but a copy that lists a copy,
// rounds times.
func CyclicNested(mount string, rounds int) Break {
	return func(p *publication) {
		p.editCatalog(mount, func(p *publication, db []byte) ([]byte, error) {
			for range rounds {
				o, err := p.store.put(strings.NewReader(string(db)), 'C', false)
				if err != nil {
					return nil, err
				}
				if db, err = relist(db, absolute(mount), o); err != nil {
					return nil, err
				}
			}
			return db, nil
		})
	}
}

// relist returns the SQLite file db with o listed as nested at path.
func relist(db []byte, path string, o Object) ([]byte, error) {
	f, err := os.CreateTemp("", "testrepo-relist-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(db)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	c, err := sql.Open("sqlite", "file:"+f.Name())
	if err != nil {
		return nil, err
	}
	_, err = c.Exec("INSERT OR REPLACE INTO nested_catalogs VALUES (?,?,?)", path, o.Hash, o.Size)
	if err = errors.Join(err, c.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(f.Name())
}
