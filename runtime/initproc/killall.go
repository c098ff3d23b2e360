package initproc

import "github.com/cvmfsbundle/cvmfsbundle/runtime/descendants"

// killAll ends what is left of the run before its end is told, where no pid namespace
// does that.
func (s *state) killAll() {
	if !s.p.PIDNS {
		descendants.KillAll(nil)
	}
}
