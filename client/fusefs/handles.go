package fusefs

import "sync"

// handles is a table of what is open, by the number the kernel gets for it. The
// zero value is empty.
type handles[T any] struct {
	mu   sync.RWMutex
	all  []slot[T]
	free []uint64
	used int
}

type slot[T any] struct {
	v    T
	open bool
}

func (h *handles[T]) add(v T) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.used++
	if n := len(h.free); n > 0 {
		i := h.free[n-1]
		h.free = h.free[:n-1]
		h.all[i] = slot[T]{v, true}
		return i
	}
	h.all = append(h.all, slot[T]{v, true})
	return uint64(len(h.all) - 1)
}

func (h *handles[T]) get(i uint64) (v T, ok bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if i < uint64(len(h.all)) {
		s := h.all[i]
		return s.v, s.open
	}
	return v, false
}

func (h *handles[T]) remove(i uint64) (v T, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i >= uint64(len(h.all)) || !h.all[i].open {
		return v, false
	}
	v = h.all[i].v
	h.all[i] = slot[T]{}
	h.free = append(h.free, i)
	h.used--
	return v, true
}

func (h *handles[T]) len() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.used
}
