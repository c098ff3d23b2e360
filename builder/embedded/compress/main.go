// Command compress writes zstd copies of files into a directory: make uses it to
// prepare what the builder embeds, so that no zstd program is needed to build.
//
//	compress DIR FILE...
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/klauspost/compress/zstd"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: compress DIR FILE...")
		os.Exit(3)
	}
	for _, f := range os.Args[2:] {
		if err := compress(os.Args[1], f); err != nil {
			fmt.Fprintln(os.Stderr, "compress:", err)
			os.Exit(1)
		}
	}
}

// compress leaves a file that is already right alone, so that its time stamp does
// not make the Go linker work again.
func compress(dir, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	out := enc.EncodeAll(data, nil)
	path := filepath.Join(dir, filepath.Base(file)+".zst")
	if old, err := os.ReadFile(path); err == nil && string(old) == string(out) {
		return nil
	}
	return renameio.WriteFile(path, out, 0o644)
}
