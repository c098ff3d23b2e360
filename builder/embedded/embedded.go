// Package embedded holds the stub and the built-in client of every architecture
// inside the builder, so that one machine makes bundles for all.
//
// make puts them, compressed with zstd, into bin before it builds cvmfsbundle. A
// fresh clone has none, and says so when one is asked for.
package embedded

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

//go:embed bin
var files embed.FS

// maxProgram bounds a decompressed program, in bytes.
const maxProgram = 128 << 20

// Stub returns the stub of one of Go's architectures: a static ELF program.
func Stub(goarch string) ([]byte, error) { return program("stub", goarch) }

// Client returns the built-in client, the program cvmfs2, of one of Go's
// architectures.
func Client(goarch string) ([]byte, error) { return program("cvmfs2", goarch) }

func program(name, goarch string) ([]byte, error) {
	data, err := files.ReadFile("bin/" + name + "-linux-" + goarch + ".zst")
	if errors.Is(err, fs.ErrNotExist) {
		if have := Architectures(); len(have) > 0 {
			return nil, fmt.Errorf("this cvmfsbundle has no %s for %s, only for %s", name, goarch, strings.Join(have, ", "))
		}
		e := exit.Errorf(exit.Unclassified, "this cvmfsbundle was built without stubs: build it with make")
		return nil, e.Hint("run make in the source tree; the program is then bin/cvmfsbundle")
	}
	if err != nil {
		return nil, err
	}
	r, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out, err := io.ReadAll(io.LimitReader(r, maxProgram))
	if err != nil {
		return nil, fmt.Errorf("embedded %s for %s: %w", name, goarch, err)
	}
	return out, nil
}

// Architectures returns the architectures there are stubs for, sorted.
func Architectures() []string {
	names, _ := fs.Glob(files, "bin/stub-linux-*.zst")
	for i, n := range names {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(n, "bin/stub-linux-"), ".zst")
	}
	slices.Sort(names)
	return names
}
