package builder

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle"
	"github.com/cvmfsbundle/cvmfsbundle/builder/fetch"
	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmtest"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// A site is a mirror of every repository that the shipped profiles name, with
// packages made by rpmbuild and metadata by createrepo_c.
type site struct {
	dir string // served
	url string
}

// hosts are the beginnings of the shipped profiles' base URLs.
var hosts = []string{
	"https://cvmrepo.s3.cern.ch", "https://repo.opensciencegrid.org", "https://repository.egi.eu",
	"https://download.fedoraproject.org", "https://repo.almalinux.org",
}

// Directories of the repositories for rhel9-x86_64, below the site.
const (
	cernDir = "cvmrepo.s3.cern.ch/cvmrepo/yum/cvmfs/EL/9/x86_64"
	osgDir  = "repo.opensciencegrid.org/osg/25-main/el9/release/x86_64"
	egiDir  = "repository.egi.eu/sw/production/umd/5/al9/release/x86_64"
	epelDir = "download.fedoraproject.org/pub/epel/9/Everything/x86_64"
	almaDir = "repo.almalinux.org/almalinux/9/AppStream/x86_64/os"
)

// made is the content of a site: it takes some seconds to make, each test gets a
// copy.
var made struct {
	once sync.Once
	dir  string
}

func TestMain(m *testing.M) {
	code := testenv.Main(m)
	if made.dir != "" {
		os.RemoveAll(made.dir)
	}
	os.Exit(code)
}

// newSite serves a site of the test's own.
func newSite(t testing.TB) *site {
	t.Helper()
	testenv.Needs(t, rpmtest.Tools...)
	made.once.Do(func() {
		dir, err := os.MkdirTemp("", "cvmfsbundle-site-")
		if err != nil {
			t.Fatal(err)
		}
		made.dir = dir
		(&site{dir: dir}).make(t)
	})
	s := &site{dir: testenv.Dir(t)}
	if err := os.CopyFS(s.dir, os.DirFS(made.dir)); err != nil {
		t.Fatal(err)
	}
	s.url = rpmtest.Serve(t, s.dir)
	return s
}

func (s *site) make(t testing.TB) {
	t.Helper()
	for _, version := range []string{"2.9.4", "2.12.6", "2.13.1"} {
		for _, spec := range clientSpecs(version) {
			s.add(t, cernDir+"/Packages", spec)
		}
	}
	s.add(t, cernDir, rpmtest.Spec{Name: "cvmfs-config-default", Version: "2.2", Arch: "noarch", Payload: rpmtest.Gzip, Files: configFiles("cern.ch")})
	s.add(t, osgDir+"/Packages/c", rpmtest.Spec{Name: "cvmfs", Version: "2.12.6", Release: "1.osg"})
	for _, version := range []string{"2.5", "2.10"} { // 2.10 is newer
		s.add(t, osgDir+"/Packages/c", rpmtest.Spec{Name: "cvmfs-config-osg", Version: version, Arch: "noarch", Payload: rpmtest.Plain, Files: configFiles("opensciencegrid.org")})
	}
	s.add(t, osgDir+"/Packages/c", rpmtest.Spec{Name: "cvmfs-x509-helper", Files: []rpmtest.File{
		{Path: "/usr/libexec/cvmfs/authz/cvmfs_x509_helper", Data: "helper", Mode: 0o755},
	}})
	s.add(t, epelDir+"/Packages/s", rpmtest.Spec{Name: "scitokens-cpp", Payload: rpmtest.Xz, Files: []rpmtest.File{
		{Path: "/usr/lib64/libSciTokens.so.0", Data: "scitokens", Mode: 0o755},
	}})
	s.add(t, almaDir+"/Packages", rpmtest.Spec{Name: "fuse3-libs", Version: "3.10.2", Payload: rpmtest.Xz, Files: []rpmtest.File{
		{Path: "/usr/lib64/libfuse3.so.3.10.2", Data: "fuse", Mode: 0o755},
		{Path: "/usr/lib64/libfuse3.so.3", Link: "libfuse3.so.3.10.2"},
	}})
	rpmtest.Createrepo(t, filepath.Join(s.dir, cernDir), "--general-compress-type=xz")
	rpmtest.Createrepo(t, filepath.Join(s.dir, osgDir), "--general-compress-type=gz")
	rpmtest.Createrepo(t, filepath.Join(s.dir, epelDir), "--general-compress-type=gz", "--checksum=sha512")
	rpmtest.Createrepo(t, filepath.Join(s.dir, almaDir), "--general-compress-type=bz2")
}

func (s *site) add(t testing.TB, dir string, spec rpmtest.Spec) string {
	t.Helper()
	dir = filepath.Join(s.dir, dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return rpmtest.Build(t, dir, spec)
}

// clientSpecs are packages in the manner of upstream's, with what is awkward in
// them: links of every kind, .build-id, setuid, odd names.
func clientSpecs(version string) []rpmtest.Spec {
	release := "1.el9"
	specs := []rpmtest.Spec{
		{Name: "cvmfs", Version: version, Release: release, Payload: rpmtest.Zstd, Files: []rpmtest.File{
			{Path: "/usr/bin/cvmfs2", Data: rpmtest.ELF(elf.EM_X86_64) + version, Mode: 0o755},
			{Path: "/usr/bin/cvmfs_config", Data: "#!/bin/bash\n", Mode: 0o4755},
			{Path: "/etc/cvmfs/default.conf", Data: "CVMFS_CACHE_BASE=/var/lib/cvmfs\n", Mode: 0o664, Attrs: "%config"},
			{Path: "/etc/cvmfs/default.d", Dir: true, Mode: 0o755},
			{Path: "/etc/cvmfs/ghost.conf", Data: "not in the payload", Mode: 0o644, Attrs: "%ghost"},
			{Path: "/var/lib/cvmfs", Dir: true, Mode: 0o500},
			{Path: "/usr/lib/.build-id/ab/cdef", Link: "../../../../usr/bin/cvmfs2"},
			{Path: "/etc/auto.cvmfs", Link: "/usr/libexec/cvmfs/auto.cvmfs"},
			{Path: "/usr/libexec/cvmfs/auto.cvmfs", Data: "auto", Mode: 0o755},
			{Path: "/usr/libexec/cvmfs/up", Link: "../../../../../../etc/cvmfs"},
			{Path: "/usr/share/cvmfs/it's odd: ünïcode #1", Data: "odd", Mode: 0o400},
			{Path: "/usr/share/cvmfs/hard-a", Data: strings.Repeat("hard", 5000), Mode: 0o644},
			{Path: "/usr/share/cvmfs/hard-b", Hard: "/usr/share/cvmfs/hard-a", Mode: 0o644},
			{Path: "/usr/share/cvmfs/empty-a", Mode: 0o644},
			{Path: "/usr/share/cvmfs/empty-b", Hard: "/usr/share/cvmfs/empty-a", Mode: 0o644},
			{Path: "/usr/share/cvmfs/big", Data: strings.Repeat("0123456789abcdef", 200_000), Mode: 0o644},
		}},
		{Name: "cvmfs-fuse3", Version: version, Release: release, Payload: rpmtest.Gzip, Files: []rpmtest.File{
			{Path: "/usr/lib64/libcvmfs_fuse3.so." + version, Data: "fuse3 " + version, Mode: 0o755},
			{Path: "/usr/lib64/libcvmfs_fuse3.so", Link: "libcvmfs_fuse3.so." + version},
		}},
	}
	if version != "2.9.4" {
		specs = append(specs, rpmtest.Spec{Name: "cvmfs-libs", Version: version, Release: release, Payload: rpmtest.Xz, Files: []rpmtest.File{
			{Path: "/usr/lib64/libcvmfs_client.so." + version, Data: "client " + version, Mode: 0o755},
			{Path: "/usr/lib64/libcvmfs_client.so", Link: "/usr/lib64/libcvmfs_client.so." + version},
		}})
	}
	return specs
}

func configFiles(domain string) []rpmtest.File {
	return []rpmtest.File{
		{Path: "/etc/cvmfs/domain.d/" + domain + ".conf", Data: "CVMFS_SERVER_URL=http://" + domain + "/@fqrn@\n", Mode: 0o644},
		{Path: "/etc/cvmfs/keys/" + domain + "/" + domain + ".pub", Data: "key", Mode: 0o644},
		{Path: "/etc/cvmfs/default.local", Data: "a package's own\n", Mode: 0o644},
	}
}

// mirrors are what sends the shipped profiles to the site.
func (s *site) mirrors(url string) []profiles.Mirror {
	var out []profiles.Mirror
	for _, h := range hosts {
		out = append(out, profiles.Mirror{From: h, To: url + "/" + strings.TrimPrefix(h, "https://")})
	}
	return out
}

// options returns options for a profile; the output lies in a new directory.
func (s *site) options(t testing.TB, profile string) Options {
	t.Helper()
	set, err := profiles.Parse("profiles.toml", cvmfsbundle.Profiles)
	if err != nil {
		t.Fatal(err)
	}
	c, err := set.Select(profile, "rhel9-x86_64", "")
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Choice: c, Mirrors: s.mirrors(s.url), Output: filepath.Join(t.TempDir(), "dist"),
		Fetch: fetch.Options{Pause: time.Millisecond},
	}
}
