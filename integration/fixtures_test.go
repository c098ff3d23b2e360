package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/listtree"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// Each repository that the CernVM-FS server tools published shows, mounted through a
// whole bundle, what the reference client showed: type, mode, size, time, link count,
// link target, content and extended attributes of every path. The bundle is read-only
// and belongs to somebody else, its directory's name has blanks, PATH is empty.
func TestFixtureRepositories(t *testing.T) {
	needsMode3(t)
	server, err := testrepo.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	keys, expected := map[string][]byte{}, map[string]string{}
	for _, name := range testrepo.Fixtures() {
		dir, key, tsv := testrepo.Fixture(t, name)
		server.Add(name, dir)
		keys[name], expected[name] = key, tsv
	}
	d := builtinDist(server, keys)
	dir := filepath.Join(testenv.Dir(t), "a b c")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := &bundle{t: t, dir: dir, path: filepath.Join(dir, "cvmfs exec"), marker: testenv.NewMarker()}
	writeBundle(t, d, b.path)
	if err := os.Chmod(b.path, 0o555); err != nil {
		t.Fatal(err)
	}
	lister := helper(t, "internal/listtree/listtree")
	for _, name := range testrepo.Fixtures() {
		for _, cache := range []string{"cold", "warm"} {
			t.Run(name+" "+cache, func(t *testing.T) {
				b.t = t
				cmd := b.cmd(name, "--", lister, "/cvmfs/"+name)
				cmd.Env = append(cmd.Env, "TMPDIR="+tmpOf(t, dir))
				r := b.finish(cmd)
				if r.code != 0 {
					t.Fatalf("%d %s", r.code, r.stderr)
				}
				compare(t, expected[name], r.stdout)
			})
		}
	}
}

// tmpOf is a directory for trees that cannot lie beside the bundle, the same for all
// parts of a test.
func tmpOf(t *testing.T, dir string) string {
	tmp := filepath.Join(filepath.Dir(dir), "tmp")
	os.Mkdir(tmp, 0o755)
	testenv.Own(t, tmp)
	return tmp
}

// compare compares a listing with the recorded one. Owners are left out: in a user
// namespace everything belongs to the caller or to nobody. So are the digests of files
// that the recorded listing read as root and an ordinary user may not read.
func compare(t *testing.T, tsv, got string) {
	t.Helper()
	data, err := os.ReadFile(tsv)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	have := strings.Split(strings.TrimRight(got, "\n"), "\n")
	if len(want) != len(have) {
		t.Errorf("%d paths; want %d", len(have), len(want))
	}
	byPath := map[string][]string{}
	for _, l := range have {
		f := strings.Split(l, "\t")
		byPath[f[0]] = f
	}
	bad := 0
	for _, l := range want {
		w := strings.Split(l, "\t")
		h := byPath[w[0]]
		if len(h) != len(w) {
			t.Errorf("%s: got %q; want %q", w[0], h, w)
			bad++
			continue
		}
		for i := range w {
			switch {
			case i == listtree.UID || i == listtree.GID, w[i] == h[i]:
				continue
			case i == listtree.Digest && h[i] == "EACCES" && closedToUser(w[listtree.Mode]):
				continue
			}
			t.Errorf("%s: column %d is %q; want %q", w[0], i, h[i], w[i])
			bad++
		}
		if bad > 20 {
			t.Fatal("and more")
		}
	}
}

// closedToUser reports whether a file of this mode may be unreadable: the owner's bit
// counts, since the files belong to the caller (CVMFS_CLAIM_OWNERSHIP).
func closedToUser(mode string) bool {
	return len(mode) == 4 && (mode[1]-'0')&4 == 0
}

// The configuration repository comes first and its settings are in force for the
// others: cfg.example.org gives small.example.org its server and keys, and a value for
// its variant symbolic links.
func TestConfigurationRepository(t *testing.T) {
	needsMode3(t)
	server, err := testrepo.NewServer()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, name := range testrepo.Fixtures() {
		dir, _, _ := testrepo.Fixture(t, name)
		server.Add(name, dir)
	}
	_, cfgKey, _ := testrepo.Fixture(t, "cfg.example.org")
	d := builtinDist(server, map[string][]byte{"cfg.example.org": cfgKey})
	d.files["etc/cvmfs/default.local"] = "CVMFS_HTTP_PROXY=DIRECT\n"
	d.files["etc/cvmfs/default.d/50-cfg.conf"] = "CVMFS_CONFIG_REPOSITORY=cfg.example.org\n"
	d.files["etc/cvmfs/config.d/cfg.example.org.conf"] = "CVMFS_SERVER_URL=" + server.ConfigURL() + "\nCVMFS_PUBLIC_KEY=/etc/cvmfs/keys/cfg.example.org.pub\n"
	b := packBundle(t, d)
	run := func(args ...string) result {
		cmd := b.cmd(args...)
		cmd.Env = append(cmd.Env, "FIXTURE_URL="+server.URL)
		return b.finish(cmd)
	}
	r := run("small.example.org", "--", probe(t), "ls", "/cvmfs", "cat", "/cvmfs/small.example.org/README", "ls", "/cvmfs/small.example.org")
	if r.code != 0 || !strings.Contains(r.stdout, `"cfg.example.org" "small.example.org"`) {
		t.Errorf("%d %q %q", r.code, r.stdout, r.stderr)
	}
	// what the configuration repository sets for this repository decides its variant links
	var variant string
	data, _ := os.ReadFile(filepath.Join(testenv.Root(), "testdata/repos/small.example.org.expected.tsv"))
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(line, "\t"); f[1] == "l" && strings.Contains(f[8], "1.0") {
			variant = f[0]
		}
	}
	if variant == "" {
		t.Fatal("no variant link in the listing")
	}
	lister := helper(t, "internal/listtree/listtree")
	r = run("small.example.org", "--", lister, "/cvmfs/small.example.org")
	for line := range strings.Lines(r.stdout) {
		if f := strings.Split(line, "\t"); f[0] == variant && !strings.Contains(f[8], "2.0") {
			t.Errorf("%s leads to %s; the configuration repository says 2.0", variant, f[8])
		}
	}
	// without a name only the configuration repository is mounted
	if r := run("--", probe(t), "ls", "/cvmfs"); r.stdout != "\"cfg.example.org\"\n" {
		t.Errorf("%q %q", r.stdout, r.stderr)
	}
	if r := run("cfg.example.org", "--", probe(t), "ls", "/cvmfs"); r.stdout != "\"cfg.example.org\"\n" {
		t.Errorf("%q %q", r.stdout, r.stderr)
	}
}

// Whoever lists the repository by the tool that recorded the expectation sees the same:
// the lister here is a port, and this is its judge.
func TestListerAgrees(t *testing.T) {
	tool := testenv.Shared(t, "tools", "listtree.py")
	testenv.Needs(t, testenv.Tool("python3", "python3"))
	dir := t.TempDir()
	os.MkdirAll(filepath.Join(dir, "a/b c"), 0o755)
	os.WriteFile(filepath.Join(dir, "a/b c/\xff\n%"), []byte("x"), 0o640)
	os.Symlink("to nowhere", filepath.Join(dir, "l"))
	want, err := exec.Command("python3", tool, dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := exec.Command(helper(t, "internal/listtree/listtree"), dir).Output()
	if err != nil || string(got) != string(want) {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}
