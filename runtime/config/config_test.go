package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/shellconf"
)

func TestValidFQRN(t *testing.T) {
	tests := []struct {
		name string
		want bool
	}{
		{"cms.cern.ch", true},
		{"a-b_c.D9", true},
		{strings.Repeat("a", 57) + ".ch", true},
		{strings.Repeat("a", 58) + ".ch", false},
		{"", false},
		{"cern", false},
		{".cern.ch", false},
		{"cern.ch.", false},
		{"a..b", false},
		{"../etc.d", false},
		{"a/b.ch", false},
		{"-o.ch", false},
		{"a b.ch", false},
		{"a\n.ch", false},
		{"ä.ch", false},
	}
	for _, tc := range tests {
		if got := ValidFQRN(tc.name); got != tc.want {
			t.Errorf("%q: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestRelocate(t *testing.T) {
	r := newRelocator(&builder{
		opts: Options{Dist: "/var/my dist", MountDir: "/var/my dist/cvmfs", LogDir: "/var/log/me", CacheBase: "/var/tmp/c"},
		set:  map[string]string{"A": "/etc/host", "B": "/cvmfs", "C": "text"},
	})
	const d = "/var/my dist"
	tests := []struct{ in, want string }{
		{"", ""},
		{"/var/lib/cvmfs", d + "/var/lib/cvmfs"},
		{"/etc", d + "/etc"},
		{"/etc/a:/var/b:/cvmfs/c:/usr/d", d + "/etc/a:" + d + "/var/b:" + d + "/cvmfs/c:/usr/d"},
		{"/cvmfs", d + "/cvmfs"},
		{"/cvmfs:/cvmfs/", d + "/cvmfs:" + d + "/cvmfs/"},
		{"/cvmfs2/x:/variable:/etcetera", "/cvmfs2/x:/variable:/etcetera"},
		{"/home/etc/x/var/y", "/home/etc/x/var/y"},
		{"//etc/x", "//etc/x"},
		{"http://etc/cvmfs/x;http://h/etc/y", "http://etc/cvmfs/x;http://h/etc/y"},
		{"http://h:80/cvmfs/x?k=/etc/y:/var/z", "http://h:80/cvmfs/x?k=/etc/y:/var/z"},
		{"file:///etc/wpad.dat;/etc/x", "file:///etc/wpad.dat;" + d + "/etc/x"},
		{"unix=/var/run/s,/etc/x", "unix=" + d + "/var/run/s," + d + "/etc/x"},
		{"cmd -c /etc/x '/var/y'", "cmd -c " + d + "/etc/x '" + d + "/var/y'"},
		{"/var/my dist/etc/x:/etc/y", d + "/etc/x:" + d + "/etc/y"},
		{"/var/my dist2/x", d + "/var/my dist2/x"},
		{"/var/log/me/r.log", "/var/log/me/r.log"},
		{"/var/tmp/c/osgstorage", "/var/tmp/c/osgstorage"},
		{"/var/tmp/cc", d + "/var/tmp/cc"},
		{"/etc/host/x", "/etc/host/x"},
		{"yes", "yes"},
	}
	for _, tc := range tests {
		if got := r.value(tc.in); got != tc.want {
			t.Errorf("%q:\ngot  %q\nwant %q", tc.in, got, tc.want)
		}
	}
}

func TestSubstitute(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"http://x/cvmfs/@fqrn@", "http://x/cvmfs/cms.cern.ch"},
		{"@org@@fqrn@", "cmscms.cern.ch"},
		{"@unknown@ a@b", "@unknown@ a@b"},
		{"@", "@"},
		{"@@", "@@"},
		{"a@b@fqrn@", "a@b@fqrn@"}, // as upstream: @b@ is a name
	}
	for _, tc := range tests {
		if got := substitute(tc.in, "cms.cern.ch"); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.in, got, tc.want)
		}
	}
}

// small is a dist with a file at every step, each of which says so in ORDER.
func small(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	opts := Options{Dist: filepath.Join(dir, "dist"), ConfigRepo: "cfg.example.org", ConfigRepoDir: filepath.Join(dir, "cfg"), Seed: 1}
	files := map[string]string{}
	for name, mark := range map[string]string{
		"default.conf": "1", "default.d/a.conf": "2a", "default.d/b.conf": "2b", "default.d/c.off": "no", "default.local": "4",
		"domain.d/example.org.conf": "6b", "domain.d/example.org.local": "6c", "config.d/r.example.org.conf": "7b", "config.d/r.example.org.local": "7c",
		"config.d/other.example.org.conf": "no",
	} {
		files["dist/etc/cvmfs/"+name] = "ORDER=\"$ORDER " + mark + "\"\n"
	}
	for name, mark := range map[string]string{"default.conf": "3", "domain.d/example.org.conf": "6a", "config.d/r.example.org.conf": "7a", "default.local": "no"} {
		files["cfg/etc/cvmfs/"+name] = "ORDER=\"$ORDER " + mark + "\"\n"
	}
	write(t, dir, files)
	return opts
}

// add appends to a file of the dist.
func add(t *testing.T, opts Options, name, text string) {
	t.Helper()
	p := filepath.Join(opts.Dist, "etc/cvmfs", name)
	old, _ := os.ReadFile(p)
	write(t, filepath.Dir(p), map[string]string{filepath.Base(p): string(old) + text})
}

func load(t *testing.T, opts Options, repo string) *Config {
	t.Helper()
	c, err := ForRepo(t.Context(), opts, repo)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOrder(t *testing.T) {
	opts := small(t)
	if got, want := load(t, opts, "r.example.org").Get("ORDER"), " 1 2a 2b 3 4 6a 6b 6c 7a 7b 7c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := load(t, opts, "cfg.example.org").Get("ORDER"), " 1 2a 2b 4 6b 6c"; got != want {
		t.Errorf("configuration repository: got %q, want %q", got, want)
	}
}

func TestOurs(t *testing.T) {
	opts := small(t)
	opts.NoFile, opts.LogDir, opts.CacheBase = 512, "/var/log/u", "/dev/shm/u"
	add(t, opts, "default.conf", "CVMFS_NFILES=1\nCVMFS_USYSLOG=x\nCVMFS_CACHE_BASE=/var/lib/cvmfs\n")
	add(t, opts, "domain.d/example.org.conf", "CVMFS_CACHE_BASE=$CVMFS_CACHE_BASE/sub\n")
	check := func(t *testing.T, opts Options, want map[string]string) {
		t.Helper()
		c := load(t, opts, "r.example.org")
		for k, v := range want {
			if got := c.Get(k); got != v {
				t.Errorf("%s = %q, want %q", k, got, v)
			}
		}
	}
	check(t, opts, map[string]string{"CVMFS_NFILES": "512", "CVMFS_USYSLOG": "/var/log/u/r.example.org.log", "CVMFS_CACHE_BASE": "/dev/shm/u/sub", "CVMFS_AUTHZ_CVMFS_DIST": opts.Dist})
	add(t, opts, "default.local", "CVMFS_NFILES=7\nCVMFS_CACHE_BASE=/var/cache\n")
	check(t, opts, map[string]string{"CVMFS_NFILES": "7", "CVMFS_USYSLOG": "/var/log/u/r.example.org.log", "CVMFS_CACHE_BASE": opts.Dist + "/var/cache/sub"})
	opts.Set = []string{"CVMFS_USYSLOG=/var/x"}
	check(t, opts, map[string]string{"CVMFS_USYSLOG": "/var/x"})
}

func TestOverrides(t *testing.T) {
	opts := small(t)
	add(t, opts, "default.local", "A=local\nB=local\nC=local\n")
	add(t, opts, "config.d/r.example.org.local", "A=last; B=last; C=last; DERIVED=$C/$B\n")
	opts.Local = filepath.Join(filepath.Dir(opts.Dist), "mine")
	write(t, filepath.Dir(opts.Local), map[string]string{"mine": "B=\"$B+mine\"\nC=mine\nD=/etc/mine\n"})
	opts.Set = []string{"C=$(first)", "C=$(set)=x", "E=/etc/set"}
	c := load(t, opts, "r.example.org")
	for k, want := range map[string]string{"A": "last", "B": "local+mine", "C": "$(set)=x", "D": opts.Dist + "/etc/mine", "E": "/etc/set", "DERIVED": "$(set)=x/local+mine"} {
		if got := c.Get(k); got != want {
			t.Errorf("%s = %q, want %q", k, got, want)
		}
	}
	var out strings.Builder
	if err := c.Show(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"B=local+mine    # from " + opts.Local + ":1\n", "# from --set\n", "A=last    # from " + opts.Dist + "/etc/cvmfs/config.d/r.example.org.local:2\n"} {
		if !strings.Contains(strings.ReplaceAll(out.String(), "'", ""), want) {
			t.Errorf("Show lacks %q:\n%s", want, out.String())
		}
	}
}

func TestConfigRepositoryProtected(t *testing.T) {
	opts := small(t)
	opts.ConfigRepo, opts.ConfigRepoDir = "", ""
	add(t, opts, "default.d/a.conf", "CVMFS_CONFIG_REPOSITORY=one.example.org\n")
	add(t, opts, "default.d/b.conf", "if [ -z \"$X\" ]; then CVMFS_CONFIG_REPOSITORY=two.example.org; fi\n")
	add(t, opts, "default.local", "CVMFS_CONFIG_REPOSITORY=evil.example.org\nCVMFS_MOUNT_DIR=/elsewhere\n")
	if got, err := ConfigRepository(t.Context(), opts); got != "two.example.org" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	c := load(t, opts, "r.example.org")
	if got := c.Get("CVMFS_CONFIG_REPOSITORY"); got != "two.example.org" {
		t.Errorf("got %q", got)
	}
	if got, want := c.Get("CVMFS_MOUNT_DIR"), opts.Dist+"/cvmfs"; got != want {
		t.Errorf("CVMFS_MOUNT_DIR is %q, want %q", got, want)
	}
	opts.Set = []string{"CVMFS_CONFIG_REPOSITORY=mine.example.org"}
	if got, err := ConfigRepository(t.Context(), opts); got != "mine.example.org" || err != nil {
		t.Errorf("with --set: got %q, %v", got, err)
	}
	opts.Set = []string{"CVMFS_CONFIG_REPOSITORY="}
	if got, err := ConfigRepository(t.Context(), opts); got != "" || err != nil {
		t.Errorf("turned off: got %q, %v", got, err)
	}
}

func TestOasisCertificates(t *testing.T) {
	opts := small(t)
	add(t, opts, "default.local", "OASIS_CERTIFICATES=/cvmfs/oasis.opensciencegrid.org/mis/certificates\n")
	if got, want := load(t, opts, "oasis.opensciencegrid.org").Get("OASIS_CERTIFICATES"), "/cvmfs/oasis.opensciencegrid.org/mis/certificates"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := load(t, opts, "r.example.org").Get("OASIS_CERTIFICATES"), opts.Dist+"/cvmfs/oasis.opensciencegrid.org/mis/certificates"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, opts *Options)
		repo string
		want string // part of the message
		is   error
	}{
		{"bad name", nil, "../x.y", "not a repository name", nil},
		{"no default.conf", func(t *testing.T, o *Options) { os.Remove(o.Dist + "/etc/cvmfs/default.conf") }, "", "default.conf\" is missing", nil},
		{"command", func(t *testing.T, o *Options) { add(t, *o, "default.local", "\nA=$(hostname)\n") }, "", "/etc/cvmfs/default.local:3: command substitution", shellconf.ErrRefused},
		{"in the configuration repository", func(t *testing.T, o *Options) {
			write(t, o.ConfigRepoDir, map[string]string{"etc/cvmfs/default.conf": "while :; do :; done"})
		}, "", "/cfg/etc/cvmfs/default.conf:1: ", shellconf.ErrLimit},
		{"outside", func(t *testing.T, o *Options) { add(t, *o, "default.local", ". /root/.profile\n") }, "", "default.local:2: ", shellconf.ErrOutside},
		{"fifo", func(t *testing.T, o *Options) {
			p := o.Dist + "/etc/cvmfs/default.local"
			os.Remove(p)
			if err := syscall.Mkfifo(p, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "", "default.local", shellconf.ErrRefused},
		{"local missing", func(t *testing.T, o *Options) { o.Local = o.Dist + "/nope" }, "", "CVMFSEXEC_LOCAL", os.ErrNotExist},
		{"local is a device", func(t *testing.T, o *Options) { o.Local = "/dev/zero" }, "", "not a regular file", nil},
		{"local refused", func(t *testing.T, o *Options) {
			o.Local = o.Dist + "/mine"
			write(t, o.Dist, map[string]string{"mine": "\nid\n"})
		}, "", "/mine:2: ", shellconf.ErrRefused},
		{"set without value", func(t *testing.T, o *Options) { o.Set = []string{"A"} }, "", "not KEY=VALUE", nil},
		{"set of a bad name", func(t *testing.T, o *Options) { o.Set = []string{"A B=1"} }, "", "not a variable name", nil},
		{"set of the mount directory", func(t *testing.T, o *Options) { o.Set = []string{"CVMFS_MOUNT_DIR=/x"} }, "", "cannot be changed", nil},
		{"bad configuration repository", func(t *testing.T, o *Options) {
			o.ConfigRepo = ""
			add(t, *o, "default.d/a.conf", "CVMFS_CONFIG_REPOSITORY=../../x.y\n")
		}, "", "not a repository name", nil},
		{"required and not mounted", func(t *testing.T, o *Options) {
			o.ConfigRepoDir += "/nope"
			add(t, *o, "default.d/a.conf", "CVMFS_CONFIG_REPO_REQUIRED=yes\n")
		}, "", "required configuration repository directory does not exist", nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			opts := small(t)
			if tc.make != nil {
				tc.make(t, &opts)
			}
			if tc.repo == "" {
				tc.repo = "r.example.org"
			}
			_, err := ForRepo(t.Context(), opts, tc.repo)
			if err == nil || !strings.Contains(err.Error(), tc.want) || tc.is != nil && !errors.Is(err, tc.is) {
				t.Fatalf("got %v, want %q, %v", err, tc.want, tc.is)
			}
			if exit.CodeOf(err) != exit.Config {
				t.Errorf("got exit code %d", exit.CodeOf(err))
			}
		})
	}
}

// TestRepoNotMounted: without the configuration repository the dist's files do.
func TestRepoNotMounted(t *testing.T) {
	opts := small(t)
	opts.ConfigRepoDir = ""
	if got, want := load(t, opts, "r.example.org").Get("ORDER"), " 1 2a 2b 4 6b 6c 7b 7c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
