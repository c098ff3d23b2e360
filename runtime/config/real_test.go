package config

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

var realRepos = []string{
	"cms.cern.ch", "atlas.cern.ch", "atlas-nightlies.cern.ch", "alice.cern.ch", "grid.cern.ch", "sft.cern.ch", "cernvm-devel.cern.ch",
	"oasis.opensciencegrid.org", "singularity.opensciencegrid.org", "cms.osgstorage.org", "ligo.osgstorage.org", "gwosc.osgstorage.org",
	"software.igwn.org", "software.eessi.io", "biomed.egi.eu", "lhcbdev.cern.ch", "key4hep.hsf.org", "soft.computecanada.ca", "belle.kek.jp",
	"data.ardc.edu.au", "softdrive.nl", "xenon.desy.de", "unknown.example.org",
}

// TestRealConfiguration compares every value with what bash, the sh of the systems
// that these files are written for, gives for the same files.
func TestRealConfiguration(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		testenv.Skip(t, "no bash to compare with")
	}
	for _, profile := range []string{"osg", "default", "site"} {
		opts := realDist(t, profile)
		for _, repo := range append([]string{opts.ConfigRepo}, realRepos...) {
			t.Run(profile+"/"+repo, func(t *testing.T) {
				c, err := ForRepo(t.Context(), opts, repo)
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]string{}
				for _, v := range c.Vars {
					got[v.Name] = v.Value
				}
				if diff := cmp.Diff(byShell(t, bash, opts, repo), got); diff != "" {
					t.Errorf("(-sh +got):\n%s", diff)
				}
				checkRoundTrip(t, c)
				for _, w := range c.Warnings {
					t.Errorf("warning: %s", w)
				}
			})
		}
	}
}

// byShell has a shell evaluate the files where they lie, and moves the paths.
func byShell(t *testing.T, bash string, opts Options, repo string) map[string]string {
	t.Helper()
	conf := filepath.Join(opts.Dist, "etc/cvmfs")
	_, domain, _ := strings.Cut(repo, ".")
	var script strings.Builder
	script.WriteString("set -a; IFS=\n")
	source := func(file string) {
		if _, err := os.Stat(file); err == nil {
			fmt.Fprintf(&script, "cd '%s'; . './%s'\n", filepath.Dir(file), filepath.Base(file))
		}
	}
	cr := filepath.Join(opts.ConfigRepoDir, "etc/cvmfs")
	fromRepo := func(name string) {
		if repo != opts.ConfigRepo {
			source(filepath.Join(cr, name))
		}
	}
	source(conf + "/default.conf")
	all, _ := filepath.Glob(conf + "/default.d/*.conf")
	for _, f := range all {
		source(f)
	}
	fromRepo("default.conf")
	source(conf + "/default.local")
	local, _ := os.ReadFile(conf + "/default.local")
	if !strings.Contains(string(local), "CVMFS_NFILES=") {
		fmt.Fprintf(&script, "CVMFS_NFILES=%d\n", opts.NoFile)
	}
	fmt.Fprintf(&script, "CVMFS_USYSLOG='%s/%s.log'\n", opts.LogDir, repo)
	fromRepo("domain.d/" + domain + ".conf")
	source(conf + "/domain.d/" + domain + ".conf")
	fromRepo("config.d/" + repo + ".conf")
	source(conf + "/config.d/" + repo + ".conf")
	script.WriteString("exec /usr/bin/env -0\n")
	cmd := exec.Command(bash, "--posix", "-c", script.String())
	cmd.Env = []string{"PATH=/nowhere", "CVMFS_BASE_ENV=1", "CVMFS_FQRN=" + repo, "CVMFS_MOUNT_DIR=" + opts.Dist + "/cvmfs",
		"CVMFS_USER=cvmfs", "CVMFS_RELOAD_SOCKETS=/var/run/cvmfs", "CVMFS_AUTHZ_CVMFS_DIST=" + opts.Dist}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("bash: %v", err)
	}
	m := map[string]string{}
	for kv := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		key, value, _ := strings.Cut(kv, "=")
		switch key {
		case "PATH", "PWD", "OLDPWD", "SHLVL", "_", "IFS":
			continue
		}
		for _, d := range []string{"/etc/", "/var/"} {
			if strings.HasPrefix(value, d) {
				value = opts.Dist + value
			}
		}
		m[key] = strings.NewReplacer("@fqrn@", repo, "@org@", strings.SplitN(repo, ".", 2)[0]).Replace(value)
	}
	return m
}

func TestRealGolden(t *testing.T) {
	opts := realDist(t, "osg")
	tests := []struct{ repo, key, want string }{
		{"cms.cern.ch", "CVMFS_KEYS_DIR", "DIST/cvmfs/config-osg.opensciencegrid.org/etc/cvmfs/keys/cern.ch"},
		{"cms.cern.ch", "CVMFS_USE_CDN", "yes"},
		{"cms.cern.ch", "CVMFS_CACHE_BASE", "DIST/var/lib/cvmfs"},
		{"cms.cern.ch", "CVMFS_MOUNT_DIR", "DIST/cvmfs"},
		{"cms.cern.ch", "CVMFS_RELOAD_SOCKETS", "DIST/var/run/cvmfs"},
		{"cms.cern.ch", "CVMFS_CONFIG_REPOSITORY", "config-osg.opensciencegrid.org"},
		{"cms.cern.ch", "CVMFS_NFILES", "1048576"},
		{"cms.cern.ch", "CVMFS_AUTHZ_CVMFS_DIST", "DIST"},
		{"cms.cern.ch", "CVMFS_HTTP_PROXY", "auto;DIRECT"},
		{"cms.osgstorage.org", "CVMFS_CACHE_BASE", "DIST/var/lib/cvmfs/osgstorage"},
		{"cms.osgstorage.org", "X509_CERT_DIR", "DIST/cvmfs/oasis.opensciencegrid.org/mis/certificates"},
		{"cms.osgstorage.org", "CVMFS_EXTERNAL_URL", "https://xrootd-local.unl.edu:1094"},
		{"cms.osgstorage.org", "CVMFS_SERVER_URL", "http://hcc-cvmfs-repo.unl.edu:8000/cvmfs/cms.osgstorage.org"},
		{"software.igwn.org", "CVMFS_KEYS_DIR", "DIST/cvmfs/config-osg.opensciencegrid.org/etc/cvmfs/keys/opensciencegrid.org"},
		{"software.eessi.io", "CVMFS_SERVER_URL", "http://s1eessieu1-cvmfs.openhtc.io/cvmfs/software.eessi.io;http://s1eessina1-cvmfs.openhtc.io/cvmfs/software.eessi.io;http://s1ral-cvmfs.openhtc.io/cvmfs/software.eessi.io"},
		{"unknown.example.org", "CVMFS_KEYS_DIR", "DIST/etc/cvmfs/keys/opensciencegrid.org"},
		{"config-osg.opensciencegrid.org", "CVMFS_SERVER_URL", "http://s1bnl-cvmfs.openhtc.io/cvmfs/config-osg.opensciencegrid.org;http://s1fnal-cvmfs.openhtc.io/cvmfs/config-osg.opensciencegrid.org;http://s1osggoc-cvmfs.openhtc.io/cvmfs/config-osg.opensciencegrid.org"},
	}
	for _, tc := range tests {
		t.Run(tc.repo+" "+tc.key, func(t *testing.T) {
			c, err := ForRepo(t.Context(), opts, tc.repo)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := c.Get(tc.key), strings.ReplaceAll(tc.want, "DIST", opts.Dist); got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
	t.Run("configuration repository found", func(t *testing.T) {
		want := opts.ConfigRepo
		o := opts
		o.ConfigRepo = ""
		if got, err := ConfigRepository(t.Context(), o); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		c, err := ForRepo(t.Context(), o, "cms.cern.ch")
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Get("CVMFS_KEYS_DIR"); !strings.HasSuffix(got, "/keys/cern.ch") {
			t.Errorf("CVMFS_KEYS_DIR is %q", got)
		}
	})
	t.Run("mode 3", func(t *testing.T) {
		o := opts
		o.MountDir = "/cvmfs"
		c, err := ForRepo(t.Context(), o, "cms.cern.ch")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := c.Get("CVMFS_KEYS_DIR"), "/cvmfs/config-osg.opensciencegrid.org/etc/cvmfs/keys/cern.ch"; got != want {
			t.Errorf("CVMFS_KEYS_DIR is %q, want %q", got, want)
		}
		if got, want := c.Get("CVMFS_CACHE_BASE"), opts.Dist+"/var/lib/cvmfs"; got != want {
			t.Errorf("CVMFS_CACHE_BASE is %q, want %q", got, want)
		}
	})
}

// BenchmarkForRepo is on the path of every start: it has to stay well below 3 ms.
func BenchmarkForRepo(b *testing.B) {
	opts := realDist(b, "osg")
	for _, repo := range []string{"cms.cern.ch", "cms.osgstorage.org"} {
		b.Run(repo, func(b *testing.B) {
			for b.Loop() {
				c, err := ForRepo(b.Context(), opts, repo)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Format(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
