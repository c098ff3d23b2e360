// Package payloadtest makes dist trees and bundles for tests and benchmarks.
package payloadtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
)

// Meta is a description for test bundles.
var Meta = payload.Meta{
	Kind: payload.Cvmfsexec, Profile: "demo", Machine: "rhel9-x86_64",
	Client: payload.Builtin, ClientVersion: "1.2.3", StubVersion: "1.0", Epoch: 1700000000,
}

// Dist makes a dist tree of about size bytes in dir that compresses as a real one
// does: four variants of one big library with the same functions at other
// addresses, smaller libraries, programs, and some hundred small text files.
func Dist(t testing.TB, dir string, size int) {
	t.Helper()
	r := rand.New(rand.NewPCG(20, uint64(size)))
	code := newCode(r, size/5)
	for _, v := range []string{"fuse", "fuse_debug", "fuse3", "fuse3_debug"} {
		put(t, dir, "usr/lib64/libcvmfs_"+v+".so.2.13.2", code.link(r, size/5), 0o755)
		link(t, dir, "usr/lib64/libcvmfs_"+v+".so", "libcvmfs_"+v+".so.2.13.2")
	}
	for i := range 10 {
		put(t, dir, fmt.Sprintf("usr/lib64/libpart%c.so.%d", 'a'+i, i), newCode(r, size/60).link(r, size/60), 0o755)
	}
	put(t, dir, "usr/bin/cvmfs2", code.link(r, size/100), 0o755)
	for i := range 300 {
		put(t, dir, fmt.Sprintf("etc/cvmfs/domain.d/%03d.example.org.conf", i), text(r, 200+r.IntN(3000)), 0o644)
	}
	put(t, dir, ".cvmfsexecdist", []byte("disttype: standard\nmachtype: rhel9-x86_64\nclient: builtin\n"), 0o644)
}

// Bundle writes a bundle of the tree dist to the new file path.
func Bundle(t testing.TB, dist, path string) (payload.ID, *payload.Manifest) {
	t.Helper()
	root, err := os.OpenRoot(dist)
	must(t, err)
	defer root.Close()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	must(t, err)
	id, m, err := payload.Write(t.Context(), f, payload.Source{Stub: bytes.NewReader([]byte("\x7fELF, nearly\n")), Dist: root}, Meta)
	must(t, err)
	must(t, f.Close())
	return id, m
}

// code is functions of something like machine code.
type code [][]byte

func newCode(r *rand.Rand, size int) code {
	var ops [300][]byte
	for i := range ops {
		ops[i] = random(r, 1+r.IntN(5))
	}
	var c code
	for size > 0 {
		var f []byte
		for range 20 + r.IntN(200) {
			i := int(float64(len(ops)) * r.Float64() * r.Float64() * r.Float64()) // few are common
			f = append(f, ops[i]...)
			if r.IntN(3) == 0 {
				f = append(f, random(r, 1+r.IntN(2))...)
			}
		}
		c = append(c, f)
		size -= len(f)
	}
	return c
}

// link puts the functions one after the other, some left out, each with calls to
// addresses that are those of this library.
func (c code) link(r *rand.Rand, size int) []byte {
	out := []byte("\x7fELF")
	base := r.Uint32()
	for _, f := range c {
		if r.IntN(20) == 0 {
			continue
		}
		for i := 0; i < len(f); i += 400 {
			out = append(out, f[i:min(len(f), i+400)]...)
			out = binary.LittleEndian.AppendUint32(append(out, 0xe8), base-uint32(len(out)))
		}
		if len(out) >= size {
			break
		}
	}
	return out
}

func text(r *rand.Rand, size int) []byte {
	var b []byte
	for len(b) < size {
		b = fmt.Appendf(b, "CVMFS_OPTION_%d=\"http://server%d.example.org/cvmfs/@fqrn@\"\n", r.IntN(100), r.IntN(30))
	}
	return b
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func put(t testing.TB, dir, name string, content []byte, mode os.FileMode) {
	t.Helper()
	p := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(t, os.WriteFile(p, content, mode))
}

func link(t testing.TB, dir, name, target string) {
	t.Helper()
	must(t, os.Symlink(target, filepath.Join(dir, name)))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
