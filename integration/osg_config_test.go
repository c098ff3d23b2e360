package integration

import (
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// parameters are what the client has read, by key.
func (b *bundle) osgParameters(repo string) map[string]string {
	b.t.Helper()
	return parseParameters(b.osgCat(repo, "parameters"))
}

func parseParameters(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(trim(line), "=")
		m[key] = value
	}
	return m
}

// The client gets literal values with the paths of the tree. The configuration
// repository is mounted first: its settings are in force for the other one.
func osgParameters(t *testing.T, b *bundle, dist string) {
	b.t = t
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(b.dir, ".cvmfsexec")
	common := map[string]string{
		"CVMFS_CACHE_BASE":           dist + "/var/lib/cvmfs",
		"CVMFS_RELOAD_SOCKETS":       dist + "/var/run/cvmfs",
		"CVMFS_MOUNT_DIR":            "/cvmfs",
		"CVMFS_SHARED_CACHE":         "yes",
		"CVMFS_NFILES":               strconv.FormatUint(limit.Max, 10),
		"CVMFS_HTTP_PROXY":           "auto;DIRECT",
		"CVMFS_PAC_URLS":             "http://grid-wpad/wpad.dat;http://wpad/wpad.dat;http://cernvm-wpad.fnal.gov/wpad.dat;http://cernvm-wpad.cern.ch/wpad.dat",
		"CVMFS_CONFIG_REPOSITORY":    osgConfig,
		"CVMFS_CONFIG_REPO_REQUIRED": "yes",
		"CVMFS_AUTHZ_CVMFS_DIST":     dist,
		"CVMFS_STANDIN_ROOT":         dist + "/etc/cvmfs/standin",
		"CVMFS_SEND_INFO_HEADER":     "yes",
		"CVMFS_BASE_ENV":             "1",
	}
	for repo, own := range map[string]map[string]string{
		osgConfig: {
			"CVMFS_USYSLOG":        state + "/log/" + osgConfig + ".log",
			"CVMFS_KEYS_DIR":       dist + "/etc/cvmfs/keys/opensciencegrid.org",
			"CVMFS_SERVER_URL":     "http://cdn1.invalid/cvmfs/" + osgConfig + ";http://cdn2.invalid:8000/cvmfs/" + osgConfig,
			"CVMFS_FALLBACK_PROXY": "",
		},
		osgRepo: {
			"CVMFS_USYSLOG":                 state + "/log/" + osgRepo + ".log",
			"CVMFS_KEYS_DIR":                "/cvmfs/" + osgConfig + "/etc/cvmfs/keys/cern.ch",
			"CVMFS_SERVER_URL":              "http://cern1.invalid/cvmfs/" + osgRepo + ";http://cern2.invalid/opt/atlas",
			"CVMFS_FALLBACK_PROXY":          "http://proxy1.invalid:3126;http://proxy2.invalid:3126",
			"CVMFS_USE_CDN":                 "yes",
			"CVMFS_FROM_COMMON":             osgRepo + " has auto;DIRECT",
			"CVMFS_FROM_CONFIG_REPOSITORY":  "atlas",
			"CVMFS_MAGIC_XATTRS_VISIBILITY": "rootonly",
		},
	} {
		got := b.osgParameters(repo)
		for _, want := range []map[string]string{common, own} {
			for key, value := range want {
				if got[key] != value {
					t.Errorf("%s: %s=%q; want %q", repo, key, got[key], value)
				}
			}
		}
		if repo == osgConfig && got["CVMFS_FROM_CONFIG_REPOSITORY"] != "" {
			t.Errorf("the configuration repository is configured by itself: %q", got)
		}
	}
	b.must("--set", "CVMFS_KCACHE_TIMEOUT=0", "--set", `CVMFS_ODD="a'b $HOME @fqrn@`, osgRepo, "--", "/bin/true")
	out := b.must("--set", `CVMFS_ODD="a'b $HOME `, osgRepo, "--", "/bin/cat", "/cvmfs/"+osgRepo+"/parameters")
	if got := parseParameters(out)["CVMFS_ODD"]; got != `"a'b $HOME ` {
		t.Errorf("CVMFS_ODD is %q", got)
	}
}
