package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// isState tells the places of a dist tree where a running client keeps cache,
// sockets and mount points. A start puts links of its own there.
func isState(name string) bool {
	switch name {
	case "var/lib/cvmfs", "var/run/cvmfs", "cvmfs":
		return true
	}
	return false
}

// checkState makes sure that the directories above those links are directories.
func checkState(dist *os.Root) error {
	for _, name := range []string{"var", "var/lib", "var/run"} {
		info, err := dist.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%q is not a directory; a start has to put links for its cache there", name)
		}
	}
	return nil
}
