package unpack_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload/payloadtest"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/unpack"
)

// benchDir returns a directory with a bundle of a tree of size bytes and the same
// tree as dist.tar.gz and dist.tar.zst.
func benchDir(b *testing.B, size int) string {
	testenv.Needs(b, testenv.Tool("zstd", "zstd"), testenv.Tool("tar", "tar"))
	dir := testenv.Dir(b)
	payloadtest.Dist(b, filepath.Join(dir, "dist"), size)
	payloadtest.Bundle(b, filepath.Join(dir, "dist"), filepath.Join(dir, "bundle"))
	sh(b, dir, "tar -cf dist.tar dist; gzip -k dist.tar; zstd -q -19 --long=25 dist.tar")
	for _, name := range []string{"dist.tar", "dist.tar.gz", "dist.tar.zst", "bundle"} {
		info, err := os.Stat(filepath.Join(dir, name))
		must(b, err)
		b.Logf("%s: %d bytes", name, info.Size())
	}
	return dir
}

func sh(b *testing.B, dir, script string) {
	cmd := exec.Command("bash", "-eo", "pipefail", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// BenchmarkUnpack compares a first start's unpacking with what one would do by
// hand.
func BenchmarkUnpack(b *testing.B) {
	for _, mb := range []int{20, 100} {
		b.Run(fmt.Sprintf("%dMB", mb), func(b *testing.B) {
			dir := benchDir(b, mb<<20)
			bundle := filepath.Join(dir, "bundle")
			out := filepath.Join(dir, "out")
			each := func(name string, do func(b *testing.B)) {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						b.StopTimer()
						must(b, os.RemoveAll(out))
						must(b, os.Mkdir(out, 0o755))
						b.StartTimer()
						do(b)
					}
				})
			}
			each("Ensure", func(b *testing.B) { ensure(b, bundle, out) })
			each("tar-xzf", func(b *testing.B) { sh(b, out, "tar -xzf ../dist.tar.gz") })
			each("zstd-tar", func(b *testing.B) { sh(b, out, "zstd -dc ../dist.tar.zst | tar -x") })
		})
	}
}

// BenchmarkWarm is the part of every later start.
func BenchmarkWarm(b *testing.B) {
	dir := testenv.Dir(b)
	path := bundle(b, dir, "one")
	for b.Loop() {
		ensure(b, path, filepath.Join(dir, "base"))
	}
}

func ensure(b *testing.B, bundle, base string) {
	f, err := os.Open(bundle)
	must(b, err)
	defer f.Close()
	p, err := unpack.Ensure(b.Context(), unpack.Options{File: f, Path: bundle, Getenv: func(name string) string {
		if name == unpack.DirVar {
			return base
		}
		return ""
	}})
	must(b, err)
	p.Close()
}
