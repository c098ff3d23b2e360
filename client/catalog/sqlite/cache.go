package sqlite

import (
	"math/bits"
	"sync/atomic"
)

// blockSize is the smallest amount read from a file at once, in bytes. Smaller pages
// are read together with their neighbours.
const blockSize = 4096

// block is an immutable piece of a database file.
type block struct {
	db   uint64
	no   uint32
	data []byte
}

// A Cache holds recently used blocks of any number of databases. It is two-way set
// associative and free of locks: replaced blocks live on until their last reader is
// done with them.
type Cache struct {
	slots []atomic.Pointer[block]
	ids   atomic.Uint64
}

// NewCache returns a cache of about the given number of bytes, at least 64 kB.
func NewCache(bytes int64) *Cache {
	n := max(bytes/blockSize, 16)
	n = min(n, 1<<24)
	return &Cache{slots: make([]atomic.Pointer[block], 1<<(bits.Len64(uint64(n))-1))}
}

// set returns the first of the two slots of a block. Blocks of large pages use a
// part of the slots only, so that the cache does not grow with the page size.
func (c *Cache) set(db uint64, no uint32, size int) uint64 {
	h := (uint64(no) + db*0x9e3779b97f4a7c15) * 0x9e3779b97f4a7c15 >> 32
	sets := max(len(c.slots)/(size/blockSize), 2)
	return h & uint64(sets-1) &^ 1
}

func (c *Cache) get(db uint64, no uint32, size int) *block {
	s := c.set(db, no, size)
	for i := range uint64(2) {
		if b := c.slots[s+i].Load(); b != nil && b.db == db && b.no == no {
			return b
		}
	}
	return nil
}

func (c *Cache) put(b *block, size int) {
	s := c.set(b.db, b.no, size)
	c.slots[s+1].Store(c.slots[s].Swap(b))
}
