package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// write makes files with their directories; names are relative to dir.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// defaultLocal is what makedist writes.
const defaultLocal = `CVMFS_HTTP_PROXY="auto;DIRECT"
CVMFS_PAC_URLS="http://grid-wpad/wpad.dat;http://wpad/wpad.dat;http://cernvm-wpad.cern.ch/wpad.dat;http://cernvm-wpad.fnal.gov/wpad.dat"
`

// realDist lays out the real configuration of a profile and its configuration
// repository as packages and mounts do. The directory names have a blank.
func realDist(t testing.TB, profile string) Options {
	t.Helper()
	shared := testenv.Shared(t, "fixtures", "config")
	dir := filepath.Join(t.TempDir(), "my dist")
	opts := Options{Dist: filepath.Join(dir, "dist"), LogDir: filepath.Join(dir, "log"), NoFile: 1 << 20, Seed: 1}
	conf := filepath.Join(opts.Dist, "etc/cvmfs")
	def := filepath.Join(shared, "cvmfs-config-default")
	copyFile(t, filepath.Join(def, "default.conf"), filepath.Join(conf, "default.conf"))
	local := defaultLocal
	switch profile {
	case "osg":
		opts.ConfigRepo = "config-osg.opensciencegrid.org"
		osg := filepath.Join(shared, "cvmfs-config-osg")
		copyFile(t, filepath.Join(osg, "60-osg.conf"), filepath.Join(conf, "default.d/60-osg.conf"))
		copyFile(t, filepath.Join(osg, opts.ConfigRepo+".conf"), filepath.Join(conf, "config.d", opts.ConfigRepo+".conf"))
	case "default":
		opts.ConfigRepo = "cvmfs-config.cern.ch"
		for _, f := range []string{"default.d/50-cern.conf", "domain.d/cern.ch.conf", "domain.d/egi.eu.conf", "domain.d/opensciencegrid.org.conf",
			"config.d/cvmfs-config.cern.ch.conf", "config.d/grid.cern.ch.conf"} {
			copyFile(t, filepath.Join(def, f), filepath.Join(conf, f))
		}
	case "site":
		opts.ConfigRepo = "config-egi.egi.eu"
		write(t, opts.Dist, map[string]string{"etc/cvmfs/default.d/60-egi.conf": "CVMFS_CONFIG_REPOSITORY=config-egi.egi.eu\nCVMFS_SEND_INFO_HEADER=yes\n"})
		local = "CVMFS_HTTP_PROXY=\"http://squid.example.org:3128\"\nCVMFS_PAC_URLS=http://x/wpad.dat\nCVMFS_CACHE_BASE=/var/lib/cvmfs/own\nCMS_LOCAL_SITE=T2_XX_Example\nCVMFS_NFILES=4096\n"
	}
	write(t, opts.Dist, map[string]string{"etc/cvmfs/default.local": local})
	opts.ConfigRepoDir = filepath.Join(opts.Dist, "cvmfs", opts.ConfigRepo)
	copyConfigRepo(t, filepath.Join(shared, "config-repo"), opts.ConfigRepoDir)
	return opts
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Dir(to), map[string]string{filepath.Base(to): string(data)})
}

// copyConfigRepo copies the repository's files. One that consists of a file name
// stands for a symlink, which the collection did not keep; so does libexec.
func copyConfigRepo(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(from, p)
		dest := filepath.Join(to, rel)
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if text := string(data); strings.HasSuffix(text, ".conf") && !strings.ContainsAny(text, "\n =") {
			if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
				return err
			}
			return os.Symlink(text, dest)
		}
		copyFile(t, p, dest)
		return nil
	})
	if err == nil {
		copyFile(t, filepath.Join(from, "etc/cvmfs/osgstorage-auth.conf"), filepath.Join(to, "libexec/osgstorage-auth.conf"))
	}
	if err != nil {
		t.Fatal(err)
	}
}
