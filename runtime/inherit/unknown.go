//go:build !inheritsignals

package inherit

// read asks the kernel: what the Go runtime handles counts as not ignored.
func read(s *State) {
	for n := 1; n <= signals; n++ {
		if ignored(n) {
			s.Ignored |= 1 << (n - 1)
		}
	}
}
