package dist

import (
	"debug/elf"
	"os"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// check refuses a tree that no client could be started from.
func check(root *os.Root, m profiles.Machine) error {
	for _, need := range []string{"usr/bin/cvmfs2", "etc/cvmfs/default.conf"} {
		fi, err := root.Stat(need)
		if err != nil || !fi.Mode().IsRegular() {
			return exit.Errorf(exit.Unresolved, "the packages bring no %q", need).
				Hint("the profile must name the package cvmfs, or take the built-in client: -client builtin")
		}
	}
	f, err := root.Open("usr/bin/cvmfs2")
	if err != nil {
		return exit.Wrap(exit.Output, err)
	}
	defer f.Close()
	e, err := elf.NewFile(f)
	if err != nil {
		return exit.Errorf(exit.Unresolved, "usr/bin/cvmfs2 is not a program: %w", err)
	}
	if want := elfMachine(m.GOARCH()); e.Machine != want {
		return exit.Errorf(exit.Unresolved, "usr/bin/cvmfs2 is for %v, machine type %s needs %v", e.Machine, m.Name, want)
	}
	if fi, err := root.Stat("usr/bin/cvmfs2"); err != nil || fi.Mode()&0o100 == 0 {
		return exit.Errorf(exit.Unresolved, "usr/bin/cvmfs2 is not executable")
	}
	return nil
}

func elfMachine(goarch string) elf.Machine {
	switch goarch {
	case "amd64":
		return elf.EM_X86_64
	case "arm64":
		return elf.EM_AARCH64
	case "ppc64le":
		return elf.EM_PPC64
	}
	return elf.EM_NONE
}
