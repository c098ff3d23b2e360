package integration

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// P2: many first starts at the same time.
func TestSimultaneousFirstStarts(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	const starts = 64
	var wg sync.WaitGroup
	type end struct {
		out []byte
		err error
	}
	ends := make([]end, starts)
	for i := range starts {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var stderr bytes.Buffer
			cmd := b.cmd(repo, "--", p, "cat", "/cvmfs/"+repo+"/README")
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			ends[i] = end{append(out, stderr.Bytes()...), err}
		}()
	}
	wg.Wait()
	for i, e := range ends {
		if e.err != nil || string(e.out) != "hello from "+repo+"\n" {
			t.Errorf("start %d: %v, %q", i, e.err, e.out)
		}
	}
	b.gone(5 * time.Second)
	b.complete()
}

// complete checks what lies in the unpack directory: one tree per ID, nothing
// temporary.
func (b *bundle) complete() {
	b.t.Helper()
	ents, err := os.ReadDir(filepath.Join(b.dir, ".cvmfsexec"))
	if err != nil {
		b.t.Error(err)
	}
	for _, e := range ents {
		switch name := e.Name(); {
		case name == "dist" || name == "log" || name == "var" || name == "cvmfs" || len(name) == 64:
		default:
			b.t.Errorf("left in .cvmfsexec: %s", name)
		}
	}
}

// P3: a first start that is killed at any moment leaves nothing that a later one takes
// for complete.
func TestKilledFirstStart(t *testing.T) {
	b, repo := quick(t)
	p := probe(t)
	for _, seed := range testenv.Seeds(t, 8, 50) {
		rng := rand.New(rand.NewPCG(seed, 3))
		if err := os.RemoveAll(filepath.Join(b.dir, ".cvmfsexec")); err != nil {
			t.Fatal(err)
		}
		cmd := b.cmd(repo, "--", p, "exit", "0")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.Int64N(int64(120 * time.Millisecond))))
		cmd.Process.Kill()
		cmd.Wait()
		b.gone(5 * time.Second)
		if r := b.run(repo, "--", p, "cat", "/cvmfs/"+repo+"/README"); r.stdout != "hello from "+repo+"\n" || r.code != 0 {
			t.Fatalf("seed %d: the next start: %d %q %q", seed, r.code, r.stdout, r.stderr)
		}
	}
}

// Two bundles of different ID start from one directory at the same time.
func TestTwoBundlesOneDirectory(t *testing.T) {
	needsMode3(t)
	const repo = "quick.example.org"
	server, keys := published(t, repo)
	d := builtinDist(server, keys)
	b := packBundle(t, d)
	d.files["etc/cvmfs/extra"] = "second"
	other := filepath.Join(b.dir, "other")
	writeBundle(t, d, other)
	testenv.Own(t, other)
	second := &bundle{t: t, path: other, dir: b.dir, marker: b.marker}
	p := probe(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			run := b
			if i%2 == 1 {
				run = second
			}
			out, err := run.cmd(repo, "--", p, "cat", "/cvmfs/"+repo+"/README").CombinedOutput()
			if err != nil || string(out) != "hello from "+repo+"\n" {
				t.Errorf("start %d: %v, %q", i, err, out)
			}
		}()
	}
	wg.Wait()
	b.gone(5 * time.Second)
	b.complete()
	trees, _ := filepath.Glob(filepath.Join(b.dir, ".cvmfsexec", strings.Repeat("[0-9a-f]", 64)))
	if len(trees) != 2 {
		t.Errorf("trees: %q; want two", trees)
	}
}

// What another user made beforehand is never executed and never written to; the start
// works from another place.
func TestForeignUnpackDirectory(t *testing.T) {
	testenv.Needs(t, testenv.RootUser)
	b, repo := quick(t)
	p := probe(t)
	const stranger = 54399
	b.must(repo, "--", p, "exit", "0")
	trees, _ := filepath.Glob(filepath.Join(b.dir, ".cvmfsexec", strings.Repeat("[0-9a-f]", 64)))
	if len(trees) != 1 {
		t.Fatalf("trees: %q", trees)
	}
	id := filepath.Base(trees[0])
	tmp := testenv.Dir(t)
	evil := "#!/bin/sh\necho evil >&2\nexit 66\n"
	base := filepath.Join(b.dir, ".cvmfsexec")
	// a tree that looks right but runs something else
	plant := func(dir string) {
		os.MkdirAll(filepath.Join(dir, id, "dist/usr/bin"), 0o755)
		os.WriteFile(filepath.Join(dir, id, "dist/usr/bin/cvmfs2"), []byte(evil), 0o755)
		os.MkdirAll(filepath.Join(dir, id, "dist/etc/cvmfs"), 0o755)
		os.WriteFile(filepath.Join(dir, id, "dist/etc/cvmfs/default.conf"), []byte("A=b\n"), 0o644)
	}
	give := func(dir string) {
		filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error { return os.Lchown(p, stranger, stranger) })
	}
	tests := []struct {
		name string
		make func()
	}{
		{"directory", func() { os.Mkdir(base, 0o755); give(base) }},
		{"directory open to all", func() { os.Mkdir(base, 0o777); os.Chmod(base, 0o777); give(base) }},
		{"with the right ID", func() { plant(base); give(base) }},
		{"right ID in our directory", func() {
			os.Mkdir(base, 0o755)
			plant(base)
			testenv.Own(t, base)
			give(filepath.Join(base, id))
		}},
		{"symlink", func() {
			plant(tmp + "/evil")
			give(tmp + "/evil")
			os.Symlink(tmp+"/evil", base)
			os.Lchown(base, stranger, stranger)
		}},
		{"group-writable", func() { plant(base); testenv.OwnTree(t, base); os.Chmod(base, 0o775) }},
		{"group-writable ID", func() { plant(base); testenv.OwnTree(t, base); os.Chmod(filepath.Join(base, id), 0o775) }},
		{"file", func() { os.WriteFile(base, []byte("x"), 0o644); os.Chown(base, stranger, stranger) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			os.RemoveAll(base)
			tt.make()
			before := snapshot(t, base, tmp+"/evil")
			cmd := b.cmd(repo, "--", p, "cat", "/cvmfs/"+repo+"/README")
			cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
			r := b.finish(cmd)
			if r.code != 0 || r.stdout != "hello from "+repo+"\n" || strings.Contains(r.stderr, "evil\n") {
				t.Errorf("%d %q %q", r.code, r.stdout, r.stderr)
			}
			if !strings.HasPrefix(r.stderr, "cvmfsexec: warning: ") || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("one line has to say why: %q", r.stderr)
			}
			if after := snapshot(t, base, tmp+"/evil"); after != before {
				t.Errorf("changed:\n%s\nto\n%s", before, after)
			}
		})
	}
}

// snapshot describes trees down to owner, mode, time and size.
func snapshot(t *testing.T, dirs ...string) string {
	var b strings.Builder
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			st, err := os.Lstat(p)
			if err != nil {
				return nil
			}
			sys := st.Sys().(*syscall.Stat_t)
			fmt.Fprintln(&b, p, st.Mode(), sys.Uid, st.Size(), st.ModTime().UnixNano())
			return nil
		})
	}
	return b.String()
}

// P5, P5c: a read-only bundle that belongs to somebody else, in a directory that cannot
// be written to, under an odd name, without HOME.
func TestReadOnlyForeignBundle(t *testing.T) {
	testenv.Needs(t, testenv.RootUser)
	b, repo := quick(t)
	dir := filepath.Join(b.dir, "a b", "$x,'é")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "my cvmfsexec")
	if out, err := exec.Command("cp", b.path, path).CombinedOutput(); err != nil {
		t.Fatal(string(out), err)
	}
	os.Chmod(path, 0o555)
	tmp := testenv.Dir(t)
	other := &bundle{t: t, path: path, dir: b.dir, marker: b.marker}
	for range 2 {
		cmd := other.cmd(repo, "--", probe(t), "cat", "/cvmfs/"+repo+"/README")
		cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
		r := other.finish(cmd)
		if r.code != 0 || r.stdout != "hello from "+repo+"\n" {
			t.Errorf("%d %q %q", r.code, r.stdout, r.stderr)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("beside the bundle: %v", left)
	}
}

// A flipped byte in the payload, a cut file: 30, and nothing is left half-written.
func TestDamagedBundle(t *testing.T) {
	b, repo := quick(t)
	data, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	stub, err := os.Stat(testenv.Binary(t, "stub"))
	if err != nil {
		t.Fatal(err)
	}
	middle := int(stub.Size()) + (len(data)-int(stub.Size()))/2
	for name, harm := range map[string]func([]byte) []byte{
		"payload":  func(d []byte) []byte { d[middle] ^= 1; return d },
		"manifest": func(d []byte) []byte { d[len(d)-200] ^= 1; return d },
		"trailer":  func(d []byte) []byte { d[len(d)-20] ^= 1; return d },
		"cut":      func(d []byte) []byte { return d[:len(d)-1000] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := testenv.Dir(t)
			path := filepath.Join(dir, "cvmfsexec")
			if err := os.WriteFile(path, harm(bytes.Clone(data)), 0o755); err != nil {
				t.Fatal(err)
			}
			bad := &bundle{t: t, path: path, dir: dir, marker: testenv.NewMarker()}
			r := bad.run(repo, "--", probe(t), "exit", "0")
			if r.code != 30 || !strings.HasPrefix(r.stderr, "cvmfsexec: error: ") || !strings.Contains(r.stderr, "hint:") {
				t.Errorf("%d %q", r.code, r.stderr)
			}
			left, _ := filepath.Glob(filepath.Join(dir, ".cvmfsexec", "*"))
			for _, l := range left {
				if n := filepath.Base(l); len(n) == 64 || strings.HasPrefix(n, ".") {
					t.Errorf("left: %s", l)
				}
			}
		})
	}
}
