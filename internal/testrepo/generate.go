package testrepo

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// GenerateOptions shape a generated repository. The zero value of a field is the
// default named with it.
type GenerateOptions struct {
	Nested      int   // nested catalogs below the root; 0: none, everything in the root catalog
	Dirs        int   // directories in each catalog; 1
	FilesPerDir int   // 10
	MinSize     int64 // bytes of a file; 0
	MaxSize     int64 // bytes of a file; 2000
	Random      bool  // incompressible content instead of text
	Variety     bool  // now and then a symlink, a hard link, attributes, odd modes and owners, chunks
}

// Generate returns a repository that depends on seed and options alone: files at
// catNN/dirNN/fileNN (dirNN/fileNN without nested catalogs). Contents are made when
// they are read: what it keeps in memory is some 400 bytes for each path.
func Generate(fqrn string, seed uint64, o GenerateOptions) *Repo {
	g := &generator{repo: New(fqrn), o: o, rng: rand.New(rand.NewPCG(seed, 3)), seed: seed << 32}
	if g.o.Dirs == 0 {
		g.o.Dirs = 1
	}
	if g.o.FilesPerDir == 0 {
		g.o.FilesPerDir = 10
	}
	if g.o.MaxSize == 0 {
		g.o.MaxSize = 2000
	}
	g.o.MaxSize = max(g.o.MinSize, g.o.MaxSize)
	if o.Nested == 0 {
		g.dirs("")
	}
	for i := range o.Nested {
		top := fmt.Sprintf("cat%02d", i)
		g.repo.Nested(top)
		g.dirs(top + "/")
	}
	return g.repo
}

type generator struct {
	repo *Repo
	o    GenerateOptions
	rng  *rand.Rand
	seed uint64
}

func (g *generator) dirs(prefix string) {
	for i := range g.o.Dirs {
		dir := fmt.Sprintf("%sdir%02d", prefix, i)
		g.repo.Dir(dir, MTime(g.time()))
		for k := range g.o.FilesPerDir {
			g.file(fmt.Sprintf("%s/file%02d", dir, k))
		}
	}
}

func (g *generator) file(path string) {
	g.seed++
	size := g.o.MinSize + g.rng.Int64N(g.o.MaxSize-g.o.MinSize+1)
	src := Words(g.seed, size)
	if g.o.Random {
		src = Random(g.seed, size)
	}
	opts := []Option{Content(src), MTime(g.time())}
	if g.o.Variety {
		opts = append(opts, g.vary(path, size)...)
	}
	g.repo.File(path, "", opts...)
	if g.o.Variety && g.rng.IntN(20) == 0 {
		g.repo.Hardlink(path+".hard", path)
	}
}

// vary returns what makes a file unlike the others, and adds something beside it.
func (g *generator) vary(path string, size int64) []Option {
	switch g.rng.IntN(20) {
	case 0:
		g.repo.Symlink(path+".link", path[:g.rng.IntN(len(path))+1])
	case 1:
		return []Option{Mode(uint32(g.rng.IntN(0o10000)) | 0o444), Owner(g.rng.Uint32N(70000), g.rng.Uint32N(70000))}
	case 2:
		return []Option{XAttr("user.seed", fmt.Sprint(g.seed)), XAttr("user.ä", "\x00\xff")}
	case 3:
		return []Option{Chunked(size/3 + 1)}
	case 4:
		return []Option{Stored()}
	case 5:
		g.repo.Dir(path + " d")
	case 6:
		g.repo.Fifo(path + "\xe4.fifo")
	}
	return nil
}

func (g *generator) time() time.Time {
	return time.Unix(1_500_000_000+g.rng.Int64N(200_000_000), g.rng.Int64N(1_000_000_000)).UTC()
}
