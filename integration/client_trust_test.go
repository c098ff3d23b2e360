package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// TestClientTrust publishes repositories with one thing wrong: the mount is refused,
// with the cause in one line on standard error and in the log, and the code that
// tells what kind of cause it is.
func TestClientTrust(t *testing.T) {
	const fqrn = "trust.example.org"
	tests := []struct {
		name   string
		breaks []testrepo.Break
		key    []byte
		code   int
		want   string
	}{
		{"nothing wrong", nil, nil, 0, ""},
		{"wrong key", nil, testrepo.SeededKeys(99).PublicPEM(), 15, "failed to verify repository: bad whitelist: invalid whitelist signature"},
		{"key is no key", nil, []byte("x"), 15, "failed to load public key(s)"},
		{"expired whitelist", []testrepo.Break{testrepo.ExpiredWhitelist()}, nil, 15, "failed to verify repository: bad whitelist: expired whitelist"},
		{"whitelist of another", []testrepo.Break{testrepo.WhitelistName("other.example.org")}, nil, 15, "bad whitelist: repository name mismatch on whitelist"},
		{"whitelist signed by another", []testrepo.Break{testrepo.WrongWhitelistSignature()}, nil, 15, "invalid whitelist signature"},
		{"certificate not listed", []testrepo.Break{testrepo.CertificateNotListed()}, nil, 15, "invalid certificate: certificate not on whitelist"},
		{"manifest signed by another", []testrepo.Break{testrepo.WrongManifestSignature()}, nil, 15, "bad signature, failed to verify repository manifest"},
		{"manifest of another", []testrepo.Break{testrepo.ManifestField('N', "other.example.org")}, nil, 15, "repository name mismatch"},
		{"tampered manifest", []testrepo.Break{testrepo.HarmFile(".cvmfspublished", testrepo.Flip)}, nil, 15, "failed to verify repository"},
		{"empty manifest", []testrepo.Break{testrepo.HarmFile(".cvmfspublished", testrepo.Empty)}, nil, 15, "incomplete manifest"},
		{"tampered whitelist", []testrepo.Break{testrepo.HarmFile(".cvmfswhitelist", testrepo.Flip)}, nil, 15, "bad whitelist"},
		{"no whitelist", []testrepo.Break{testrepo.HarmFile(".cvmfswhitelist", testrepo.Missing)}, nil, 16, "Failed to initialize root file catalog: failed:"},
		{"tampered certificate", []testrepo.Break{testrepo.HarmCertificate(testrepo.Flip)}, nil, 16, "Failed to initialize root file catalog: damaged:"},
		{"tampered root catalog", []testrepo.Break{testrepo.HarmCatalog("", testrepo.Flip)}, nil, 16, "Failed to initialize root file catalog: damaged:"},
		{"truncated root catalog", []testrepo.Break{testrepo.HarmCatalog("", testrepo.Truncate)}, nil, 16, "Failed to initialize root file catalog: damaged:"},
		{"no root catalog", []testrepo.Break{testrepo.HarmCatalog("", testrepo.Missing)}, nil, 16, "Failed to initialize root file catalog: failed:"},
	}
	ns := newClientNS(t)
	bin := testenv.Binary(t, "cvmfs2")
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := testrepo.New(fqrn)
			r.File("file", "hello\n")
			pub, err := r.Publish(t.TempDir(), tt.breaks...)
			if err != nil {
				t.Fatal(err)
			}
			key := tt.key
			if key == nil {
				key = pub.PublicKeyPEM
			}
			dir := filepath.Join(ns.dir, fmt.Sprint(i))
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			testenv.Own(t, dir)
			c := newClientConf(t, dir, fqrn, testrepo.Serve(t, pub).URL, key)
			got := ns.run(bin, c.args()...)
			if got.code != tt.code {
				t.Fatalf("%+v", got)
			}
			if tt.code == 0 {
				ns.must("umount", c.mountPoint())
				return
			}
			line := strings.TrimSuffix(got.stderr, "\n")
			if !strings.Contains(line, tt.want) || strings.Contains(line, "\n") || !strings.HasSuffix(line, fmt.Sprintf("(%d - %s)", tt.code,
				map[int]string{15: "signature verification failure", 16: "file catalog failure"}[tt.code])) {
				t.Errorf("standard error: %q, want %q", got.stderr, tt.want)
			}
			if !strings.Contains(c.log(), line) {
				t.Errorf("log: %q", c.log())
			}
			if m := ns.must("cat", "/proc/self/mounts"); strings.Contains(m, " fuse ") {
				t.Errorf("mounts are left:\n%s", m)
			}
		})
	}
}

// TestClientBlacklist: a revision that the site refuses is not shown, whoever names it:
// the server, the configuration, or what the cache remembers without its number.
func TestClientBlacklist(t *testing.T) {
	const fqrn = "black.example.org"
	r := testrepo.New(fqrn)
	r.Revision = 5
	r.File("file", "hello\n")
	pub, err := r.Publish(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ns := newClientNS(t)
	server := testrepo.Serve(t, pub)
	c := newClientConf(t, ns.dir, fqrn, server.URL, pub.PublicKeyPEM)
	list := filepath.Join(ns.dir, "blacklist")
	writeOwned(t, list, []byte("<"+fqrn+" 5\n"))
	bin := testenv.Binary(t, "cvmfs2")
	mount := func(code int, changes ...string) {
		t.Helper()
		got := ns.run(bin, c.args(append(changes, "CVMFS_BLACKLIST="+list)...)...)
		if got.code != code || code == 25 && !strings.Contains(got.stderr, "repository revision blacklisted") {
			t.Fatalf("%q: %+v", changes, got)
		}
		if code == 0 {
			ns.must("umount", c.mountPoint())
		}
	}
	mount(0)
	mount(0, "CVMFS_ROOT_HASH="+pub.Root.Hash)
	writeOwned(t, list, []byte("<"+fqrn+" 6\n"))
	mount(25)
	mount(25, "CVMFS_ROOT_HASH="+pub.Root.Hash)
	// A breadcrumb of old clients has no revision.
	crumb := filepath.Join(c.vars["CVMFS_CACHE_BASE"], fqrn, "cvmfschecksum."+fqrn)
	old, err := os.ReadFile(crumb)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(old), "R")
	writeOwned(t, crumb, []byte(before))
	server.Close()
	mount(25)
}

// TestClientDamage reads what is damaged behind a good root catalog: EIO, one line
// in the log, and everything else stays readable.
func TestClientDamage(t *testing.T) {
	const fqrn = "damage.example.org"
	r := testrepo.New(fqrn)
	for _, f := range []string{"good", "flipped", "short", "gone"} {
		r.File(f, "content of "+f)
	}
	r.File("chunks", "", testrepo.Content(testrepo.Random(1, 300_000)), testrepo.Chunked(100_000))
	r.File("sub/file", "x")
	r.Nested("sub")
	r.File("odd/file", "x")
	r.Nested("odd")
	pub, err := r.Publish(t.TempDir(), testrepo.HarmObject("flipped", testrepo.Flip), testrepo.HarmObject("short", testrepo.Truncate),
		testrepo.HarmObject("gone", testrepo.Missing), testrepo.HarmObject("chunks", testrepo.Flip),
		testrepo.HarmCatalog("sub", testrepo.Flip), testrepo.DamagedCatalog("odd", 1))
	if err != nil {
		t.Fatal(err)
	}
	ns := newClientNS(t)
	c := newClientConf(t, ns.dir, fqrn, testrepo.Serve(t, pub).URL, pub.PublicKeyPEM)
	ns.must(testenv.Binary(t, "cvmfs2"), c.args()...)
	for _, bad := range []string{"cat flipped", "cat short", "cat gone", "cat chunks", "ls sub", "cat sub/file"} {
		verb, name, _ := strings.Cut(bad, " ")
		if r := ns.run(verb, c.mountPoint()+"/"+name); r.code == 0 || !strings.Contains(r.stderr, "Input/output error") {
			t.Errorf("%s: %+v", bad, r)
		}
		if log := c.log(); !strings.Contains(log, "EIO on /"+name+" (") {
			t.Errorf("%s is not in the log:\n%s", bad, log)
		}
	}
	ns.run("ls", "-lR", c.mountPoint()+"/odd") // whatever it shows, the client lives on
	if out := ns.must("cat", c.mountPoint()+"/good"); out != "content of good" {
		t.Errorf("good is %q", out)
	}
	ns.must("umount", c.mountPoint())
}

// TestClientInterrupted kills a reader whose object does not come: it must end at
// once, and a second reader must be served when the object comes.
func TestClientInterrupted(t *testing.T) {
	const fqrn = "slow.example.org"
	r := testrepo.New(fqrn)
	r.File("file", "late\n")
	r.File("chunks", "", testrepo.Content(testrepo.Random(1, 300_000)), testrepo.Chunked(100_000))
	pub, err := r.Publish(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "chunks"} {
		t.Run(name, func(t *testing.T) {
			ns := newClientNS(t)
			s := testrepo.Serve(t, pub)
			c := newClientConf(t, ns.dir, fqrn, s.URL, pub.PublicKeyPEM)
			ns.must(testenv.Binary(t, "cvmfs2"), c.args("CVMFS_TIMEOUT_DIRECT=300")...)
			gate := make(chan struct{})
			object := pub.Objects(name)[0].Path()
			s.Inject(object, 2, testrepo.Until(gate))
			cmd := ns.cmd("cat", c.mountPoint()+"/"+name)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(20 * time.Second); s.Requests(object) == 0; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the object is not asked for")
				}
			}
			cmd.Process.Kill()
			ended := make(chan struct{})
			go func() { cmd.Wait(); close(ended) }()
			select {
			case <-ended:
			case <-time.After(20 * time.Second):
				t.Fatal("the killed reader does not end")
			}
			close(gate)
			ns.must("cat", c.mountPoint()+"/"+name)
			ns.must("umount", c.mountPoint())
		})
	}
}

// TestClientEndsWhileFetching ends the client by a signal while a reader waits for
// an object that does not come.
func TestClientEndsWhileFetching(t *testing.T) {
	testenv.Needs(t, testenv.Tool("python3", "python3"))
	const fqrn = "slow.example.org"
	r := testrepo.New(fqrn)
	r.File("file", "never\n")
	pub, err := r.Publish(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ns := newClientNS(t)
	s := testrepo.Serve(t, pub)
	c := newClientConf(t, ns.dir, fqrn, s.URL, pub.PublicKeyPEM)
	ns.must(testenv.Binary(t, "cvmfs2"), c.args("CVMFS_TIMEOUT_DIRECT=300")...)
	object := pub.Objects("file")[0].Path()
	s.Inject(object, 2, testrepo.Hang())
	cmd := ns.cmd("cat", c.mountPoint()+"/file")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); s.Requests(object) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the object is not asked for")
		}
	}
	pid := c.pid(ns)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
	if err := cmd.Wait(); err == nil {
		t.Error("the reader has read something")
	}
	if m := ns.must("cat", "/proc/self/mounts"); strings.Contains(m, " fuse ") {
		t.Errorf("mounts are left:\n%s", m)
	}
}
