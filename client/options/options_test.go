package options

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseArgs(t *testing.T) {
	base := func(f func(*Command)) *Command {
		c := &Command{Repository: "a.b", MountPoint: "/m", UID: -1, GID: -1}
		f(c)
		return c
	}
	tests := []struct {
		name string
		args string
		want *Command
		err  string
	}{
		{"plain", "a.b /m", base(func(*Command) {}), ""},
		{"as mountrepo calls it", "-o config=/tmp/x,debug a.b /m", base(func(c *Command) { c.Config = []string{"/tmp/x"}; c.Debug = true }), ""},
		{"as the runtime calls it", "-o config=F,simple_options_parsing a.b /dev/fd/3 -f", base(func(c *Command) {
			c.Config, c.Simple, c.Foreground, c.MountPoint = []string{"F"}, true, true, "/dev/fd/3"
		}), ""},
		{"several files", "-oconfig=A:B -o config=C a.b /m", base(func(c *Command) { c.Config = []string{"A", "B", "C"} }), ""},
		{"all words", "-s -d -o uid=1,gid=2,system_mount,grab_mountpoint,parse,cvmfs_suid,disable_watchdog,foreground,fuse_debug,libfuse=2 a.b /m",
			base(func(c *Command) {
				c.SingleThreaded, c.FuseDebug, c.Debug, c.UID, c.GID, c.SystemMount, c.GrabMountPoint = true, true, true, 1, 2, true, true
				c.ParseOnly, c.Suid, c.NoWatchdog, c.Foreground = true, true, true, true
			}), ""},
		{"fstab's words", "-o _netdev,user,nouser,users,auto,noauto,,rw,nonempty a.b /m", base(func(*Command) {}), ""},
		{"fuse words", `-o allow_other,fsname=x\,y,noatime a.b /m`, base(func(c *Command) { c.Fuse = []string{"allow_other", "fsname=x,y", "noatime"} }), ""},
		{"double dash", "-f -- a.b -m", base(func(c *Command) { c.Foreground = true; c.MountPoint = "-m" }), ""},
		{"help", "-h", &Command{UID: -1, GID: -1, Help: true}, ""},
		{"version", "--version x", &Command{UID: -1, GID: -1, Version: true}, ""},
		{"nothing", "", nil, "a repository and a mount point are needed"},
		{"no mount point", "a.b", nil, "a repository and a mount point are needed"},
		{"too much", "a.b /m /n", nil, `superfluous argument "/n"`},
		{"no domain", "a /m", nil, `repository name "a" has no domain`},
		{"dot at the end", "a. /m", nil, `repository name "a." has no domain`},
		{"bad name", "a/b.c /m", nil, `"a/b.c" is not a repository name`},
		{"long name", strings.Repeat("a", 59) + ".b /m", nil, "is not a repository name"},
		{"flag", "-x a.b /m", nil, `unknown option "-x"`},
		{"word", "-o allow_ohter a.b /m", nil, `unknown mount option "allow_ohter"`},
		{"value", "-o allow_other=1 a.b /m", nil, `takes no value`},
		{"no value", "-o fsname a.b /m", nil, `needs a value`},
		{"number", "-o uid=x a.b /m", nil, `"uid=x" needs a number`},
		{"negative", "-o gid=-1 a.b /m", nil, `"gid=-1" needs a number`},
		{"dangling", "a.b /m -o", nil, "missing argument after -o"},
		{"dev", "-o dev a.b /m", nil, "not supported"},
		{"internal", "__RELOAD__ /s", nil, `internal command "__RELOAD__"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseArgs(strings.Fields(tt.args))
			if tt.err != "" {
				if err == nil || !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error = %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCommandFD(t *testing.T) {
	for m, want := range map[string]int{"/dev/fd/3": 3, "/dev/fd/0": 0, "/dev/fd/12": 12, "/dev/fd/": -1, "/dev/fd/x": -1, "/dev/fd/-1": -1, "/dev/fd/+1": -1, "/m": -1, "/dev/fd/3/": -1} {
		if got := (&Command{MountPoint: m}).FD(); got != want {
			t.Errorf("FD of %q = %d, want %d", m, got, want)
		}
	}
}

func TestParseSimple(t *testing.T) {
	p := &Parameters{}
	text := "# comment\n  CVMFS_A = one two  # rest\nreadonly CVMFS_B=\"q\"\nexport CVMFS_C='x y'\nif [ \"$X\" = y ]; then\n" +
		"CVMFS_D=\"\"\nCVMFS_E=a=b\nnothing\n=x\nCVMFS_F=$HOME`id`$(id)\nCVMFS_G=http://h/cvmfs/@fqrn@/@org@/@proxy@/a@b\nCVMFS_A2=\"open\neval CVMFS_H=1"
	if err := ParseSimple(p, "F", text); err != nil {
		t.Fatal(err)
	}
	p.Expand("small.example.org")
	want := map[string]string{
		"CVMFS_A": "one two", "CVMFS_B": "q", "CVMFS_C": "x y", "CVMFS_D": `""`, "CVMFS_E": "a=b", "CVMFS_F": "$HOME`id`$(id)",
		"CVMFS_G": "http://h/cvmfs/small.example.org/small/@proxy@/a@b", "CVMFS_A2": `"open`, "CVMFS_H": "1",
	}
	got := map[string]string{}
	for _, k := range p.Keys() {
		got[k], _ = p.Get(k)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := ParseSimple(p, "F", "A=b\x00c"); !errors.Is(err, ErrUsage) {
		t.Errorf("NUL byte: %v", err)
	}
}

func TestDump(t *testing.T) {
	p := &Parameters{}
	p.Set("B", "it's $5", "/f")
	p.Set("A", "http://x;y", "/g")
	p.Set("C", "/plain:x", "/g")
	var b strings.Builder
	if err := p.Dump(&b); err != nil {
		t.Fatal(err)
	}
	want := "A='http://x;y'    # from /g\nB='it'\\''s $5'    # from /f\nC=/plain:x    # from /g\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestDefaults(t *testing.T) {
	got, err := FromParameters(&Parameters{}, "a.b")
	if err != nil {
		t.Fatal(err)
	}
	want := &Options{
		Repository: "a.b", Blacklists: []string{"/etc/cvmfs/blacklist"},
		CacheDir: "/var/lib/cvmfs/a.b", Workspace: "/var/lib/cvmfs/a.b", QuotaBytes: 1 << 30,
		KernelTimeout: time.Minute, LogPrefix: "a.b", MountDir: "/cvmfs",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestValues(t *testing.T) {
	set := func(text string) *Parameters {
		p := &Parameters{}
		ParseSimple(p, "F", strings.ReplaceAll(text, ";", "\n"))
		return p
	}
	tests := []struct {
		name, text string
		pick       func(*Options) any
		want       any
		err        string
	}{
		{"number with a tail", "CVMFS_KCACHE_TIMEOUT= 12s", func(o *Options) any { return o.KernelTimeout }, 12 * time.Second, ""},
		{"garbage is 0", "CVMFS_KCACHE_TIMEOUT=x", func(o *Options) any { return o.KernelTimeout }, time.Duration(0), ""},
		{"negative time", "CVMFS_KCACHE_TIMEOUT=-3", func(o *Options) any { return o.KernelTimeout }, time.Duration(0), ""},
		{"huge time", "CVMFS_KCACHE_TIMEOUT=99999999999999999999", func(o *Options) any { return o.KernelTimeout }, time.Duration(maxSeconds) * time.Second, ""},
		{"on", "CVMFS_CLAIM_OWNERSHIP=Yes", func(o *Options) any { return o.ClaimOwnership }, true, ""},
		{"not a switch", "CVMFS_CLAIM_OWNERSHIP=maybe", func(o *Options) any { return o.ClaimOwnership }, false, ""},
		{"shared", "CVMFS_CACHE_BASE=/c;CVMFS_SHARED_CACHE=yes", func(o *Options) any { return o.CacheDir }, "/c/shared", ""},
		{"dir", "CVMFS_CACHE_DIR=/d", func(o *Options) any { return o.CacheDir }, "/d", ""},
		{"workspace", "CVMFS_CACHE_DIR=/d;CVMFS_WORKSPACE=/w", func(o *Options) any { return o.Workspace }, "/w", ""},
		{"instance", "CVMFS_CACHE_PRIMARY=private;CVMFS_CACHE_private_BASE=/p;CVMFS_CACHE_private_SHARED=on;CVMFS_CACHE_private_QUOTA_LIMIT=4000",
			func(o *Options) any { return []any{o.CacheDir, o.QuotaBytes} }, []any{"/p/shared", int64(4000 << 20)}, ""},
		{"unlimited", "CVMFS_QUOTA_LIMIT=-1", func(o *Options) any { return o.QuotaBytes }, int64(0), ""},
		{"both", "CVMFS_CACHE_DIR=/d;CVMFS_CACHE_BASE=/c", nil, nil, "'CVMFS_CACHE_BASE' and 'CVMFS_CACHE_DIR' are mutually exclusive"},
		{"alien with a quota", "CVMFS_ALIEN_CACHE=/a", nil, nil, "alien cache has no quota"},
		{"alien", "CVMFS_ALIEN_CACHE=/a;CVMFS_QUOTA_LIMIT=-1", func(o *Options) any { return o.Alien }, "/a", ""},
		{"ram", "CVMFS_CACHE_PRIMARY=r;CVMFS_CACHE_r_TYPE=ram", nil, nil, "not supported"},
		{"bad instance", "CVMFS_CACHE_PRIMARY=a/b", nil, nil, "not the name of a cache instance"},
		{"hide", "CVMFS_HIDE_MAGIC_XATTRS=yes", func(o *Options) any { return o.Xattrs }, XattrsNever, ""},
		{"show", "CVMFS_HIDE_MAGIC_XATTRS=no", func(o *Options) any { return o.Xattrs }, XattrsAlways, ""},
		{"visibility wins", "CVMFS_HIDE_MAGIC_XATTRS=no;CVMFS_MAGIC_XATTRS_VISIBILITY=rootonly", func(o *Options) any { return o.Xattrs }, XattrsRootOnly, ""},
		{"keys", "CVMFS_PUBLIC_KEY=/a:/b", func(o *Options) any { return o.PublicKey }, "/a:/b", ""},
		{"config repository is this", "CVMFS_CONFIG_REPOSITORY=a.b", func(o *Options) any { return o.Blacklists }, []string{"/etc/cvmfs/blacklist"}, ""},
		{"inside", "CVMFS_MOUNT_DIR=/x", func(o *Options) any {
			return []bool{o.Inside("/x/a.b"), o.Inside("/x/../x/a.b/c"), o.Inside("/x/a.bc"), o.Inside("/x/c.d/a.b"), o.Inside("/cvmfs/a.b")}
		}, []bool{true, true, false, false, false}, ""},
		{"config repository", "CVMFS_CONFIG_REPOSITORY=c.d;CVMFS_MOUNT_DIR=/x", func(o *Options) any { return o.Blacklists }, []string{"/etc/cvmfs/blacklist", "/x/c.d/etc/cvmfs/blacklist"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := FromParameters(set(tt.text), "a.b")
			if tt.err != "" {
				if err == nil || !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error = %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, tt.pick(o)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLoadDefaults(t *testing.T) {
	dir := t.TempDir()
	etc, mounts := filepath.Join(dir, "etc"), filepath.Join(dir, "cvmfs")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cr := filepath.Join(mounts, "cfg.example.org", "etc", "cvmfs")
	write(filepath.Join(etc, "default.conf"), "N=1\nCVMFS_MOUNT_DIR="+mounts+"\n")
	write(filepath.Join(etc, "default.d", "60-b.conf"), "N=3\nD60=@org@\n")
	write(filepath.Join(etc, "default.d", "50-a.conf"), "N=2\nCVMFS_CONFIG_REPOSITORY=cfg.example.org\n")
	write(filepath.Join(cr, "default.conf"), "N=4\nCRD=yes\nCVMFS_CONFIG_REPOSITORY=evil.example.org\n")
	write(filepath.Join(etc, "default.local"), "N=5\n")
	write(filepath.Join(cr, "domain.d", "example.org.conf"), "N=6\n")
	write(filepath.Join(etc, "domain.d", "example.org.conf"), "N=7\n")
	write(filepath.Join(etc, "domain.d", "example.org.local"), "N=8\nDL=@fqrn@\n")
	write(filepath.Join(cr, "config.d", "small.example.org.conf"), "N=9\nCRC=yes\n")
	write(filepath.Join(etc, "config.d", "small.example.org.conf"), "N=10\n")

	p, err := Load(t.Context(), &Command{Repository: "small.example.org"}, etc, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"N": "10", "D60": "small", "CRD": "yes", "DL": "small.example.org", "CRC": "yes",
		"CVMFS_CONFIG_REPOSITORY": "cfg.example.org", "CVMFS_FQRN": "small.example.org"} {
		if got, _ := p.Get(k); got != want {
			t.Errorf("%s = %q, want %q", k, got, want)
		}
	}
	if got := p.Origin("N"); got != filepath.Join(etc, "config.d", "small.example.org.conf") {
		t.Errorf("origin of N = %q", got)
	}

	write(filepath.Join(etc, "default.d", "70-c.conf"), "CVMFS_CONFIG_REPOSITORY=gone.example.org\nCVMFS_CONFIG_REPO_REQUIRED=yes\n")
	if _, err := Load(t.Context(), &Command{Repository: "small.example.org"}, etc, nil); err == nil || !strings.Contains(err.Error(), "required configuration repository directory does not exist") {
		t.Errorf("required configuration repository: %v", err)
	}
}

func TestLoadNamed(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a")
	if err := os.WriteFile(a, []byte("X=@fqrn@\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Load(t.Context(), &Command{Repository: "r.x", Config: []string{filepath.Join(dir, "absent"), a}}, "/nowhere", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := p.Get("X"); got != "r.x" {
		t.Errorf("X = %q", got)
	}
	if _, ok := p.Get("CVMFS_FQRN"); ok {
		t.Error("CVMFS_FQRN is set although files were named")
	}
	if _, err := Load(t.Context(), &Command{Repository: "r.x", Config: []string{dir}}, "/nowhere", nil); !errors.Is(err, ErrUsage) {
		t.Errorf("a directory as file: %v", err)
	}
}

func TestIDMap(t *testing.T) {
	m, err := parseIDMap("# ids\n1 2\n\n  3\t4 # x\n")
	if err != nil || m.Map(1) != 2 || m.Map(3) != 4 || m.Map(5) != 5 {
		t.Errorf("map = %v, %v", m, err)
	}
	m, err = parseIDMap("1 2\n* 99")
	if err != nil || m.Map(1) != 2 || m.Map(7) != 99 {
		t.Errorf("map = %v, %v", m, err)
	}
	for _, bad := range []string{"1", "1 2 3", "a 1", "1 b", "-1 2", "1 4294967296"} {
		if _, err := parseIDMap(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzParseSimple(f *testing.F) {
	f.Add("CVMFS_A=1\n")
	f.Add("readonly X='a b'#c\r\n =\n\x00=\n")
	f.Fuzz(func(t *testing.T, text string) {
		p := &Parameters{}
		if ParseSimple(p, "F", text) != nil {
			return
		}
		for _, k := range p.Keys() {
			v, _ := p.Get(k)
			if k == "" || strings.ContainsAny(k, " \t\n=#\x00") || strings.ContainsAny(v, "\n#\x00") {
				t.Fatalf("key %q, value %q", k, v)
			}
		}
		FromParameters(p, "a.b")
	})
}
