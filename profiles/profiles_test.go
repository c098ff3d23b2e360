package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle"
)

func shipped(t *testing.T) *Set {
	t.Helper()
	s, err := Parse("profiles.toml", cvmfsbundle.Profiles)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShippedPackages(t *testing.T) {
	s := shipped(t)
	for _, tt := range []struct {
		profile, machine string
		client           Client
		version          string
		want             string
	}{
		{"osg", "rhel9-x86_64", RPM, "2.12.6", "cvmfs cvmfs-libs cvmfs-fuse3 fuse3-libs cvmfs-config-osg cvmfs-x509-helper scitokens-cpp"},
		{"osg", "rhel9-aarch64", RPM, "2.12.6", "cvmfs cvmfs-libs cvmfs-fuse3 fuse3-libs cvmfs-config-osg"},
		{"osg", "rhel9-x86_64", Builtin, "", "cvmfs-config-osg"},
		{"egi", "rhel9-x86_64", RPM, "2.13.2", "cvmfs cvmfs-libs cvmfs-fuse3 fuse3-libs cvmfs-config-egi cvmfs-x509-helper scitokens-cpp"},
		{"default", "rhel8-x86_64", RPM, "2.9.4", "cvmfs fuse-libs cvmfs-config-default"},
		{"default", "rhel8-x86_64", RPM, "2.13.0", "cvmfs cvmfs-libs cvmfs-fuse3 fuse3-libs cvmfs-config-default"},
		{"default", "suse15-x86_64", RPM, "2.11.0", "cvmfs cvmfs-libs cvmfs-fuse3 libfuse3-3 cvmfs-config-default"},
		{"none", "rhel9-x86_64", RPM, "2.11.0", "cvmfs cvmfs-libs cvmfs-fuse3 fuse3-libs"},
		{"none", "rhel9-x86_64", Builtin, "", ""},
		{"demo", "rhel9-x86_64", Builtin, "", "cvmfs-config-demo"},
	} {
		t.Run(tt.profile+" "+tt.machine+" "+string(tt.client)+" "+tt.version, func(t *testing.T) {
			c, err := s.Select(tt.profile, tt.machine, tt.client)
			if err != nil {
				t.Fatal(err)
			}
			pkgs, err := c.Packages(tt.version)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, p := range pkgs {
				names = append(names, p.Name)
				if _, err := c.BaseURLs(p.Repository); err != nil {
					t.Errorf("package %s: %v", p.Name, err)
				}
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestShippedURLs(t *testing.T) {
	s := shipped(t)
	for _, tt := range []struct{ profile, machine, repository, want string }{
		{"osg", "rhel9-x86_64", "osg", "https://repo.opensciencegrid.org/osg/25-main/el9/release/x86_64"},
		{"osg", "suse15-x86_64", "osg", "https://repo.opensciencegrid.org/osg/25-main/el8/release/x86_64"},
		{"default", "rhel9-aarch64", "cern", "https://cvmrepo.s3.cern.ch/cvmrepo/yum/cvmfs/EL/9/aarch64"},
		{"default", "suse15-aarch64", "cern", "https://cvmrepo.s3.cern.ch/cvmrepo/yum/cvmfs/suse/15/aarch64"},
		{"default", "rhel9-ppc64le", "cern", "https://download.copr.fedorainfracloud.org/results/dwd/cvmfs/epel-9-ppc64le"},
		{"osg", "rhel9-x86_64", "epel", "https://download.fedoraproject.org/pub/epel/9/Everything/x86_64"},
		{"osg", "rhel9-x86_64", "fuse", "https://repo.almalinux.org/almalinux/9/AppStream/x86_64/os"},
		{"osg", "rhel10-x86_64", "fuse", "https://repo.almalinux.org/almalinux/10/BaseOS/x86_64/os"},
	} {
		c, err := s.Select(tt.profile, tt.machine, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.BaseURLs(tt.repository)
		if err != nil || got[0] != tt.want {
			t.Errorf("%s %s %s: got %v, %v, want %s", tt.profile, tt.machine, tt.repository, got, err, tt.want)
		}
	}
}

func TestShippedLocalAndVersions(t *testing.T) {
	s := shipped(t)
	for profile, want := range map[string]struct{ first, version string }{
		"osg":     {"cernvm-wpad.fnal.gov/wpad.dat;http://cernvm-wpad.cern.ch", "osg"},
		"egi":     {"cernvm-wpad.cern.ch/wpad.dat;http://cernvm-wpad.fnal.gov", "egi"},
		"default": {"cernvm-wpad.cern.ch/wpad.dat;http://cernvm-wpad.fnal.gov", ""},
		"none":    {"cernvm-wpad.cern.ch/wpad.dat;http://cernvm-wpad.fnal.gov", ""},
	} {
		c, err := s.Select(profile, "rhel9-x86_64", "")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(c.Profile.Local, want.first) {
			t.Errorf("%s: local is %q", profile, c.Profile.Local)
		}
		if got, err := c.VersionFrom(); err != nil || got != want.version {
			t.Errorf("%s: version from %q, %v, want %q", profile, got, err, want.version)
		}
	}
}

func TestSelectRefuses(t *testing.T) {
	s := shipped(t)
	for _, tt := range []struct{ profile, machine, want string }{
		{"nope", "rhel9-x86_64", `there is no profile "nope": choose one of default, demo, egi, none, osg`},
		{"base", "rhel9-x86_64", "there is no profile"},
		{"osg", "vax", "choose one of rhel10-x86_64, rhel7-x86_64"},
		{"egi", "rhel8-x86_64", `profile "egi" is not available for machine type "rhel8-x86_64": it is for rhel9-*, suse15-*`},
	} {
		_, err := s.Select(tt.profile, tt.machine, "")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: got %v, want %q", tt.profile, tt.machine, err, tt.want)
		}
	}
}

func TestErrorsNameFileAndLine(t *testing.T) {
	const head = "schema = 1\n[repositories.r]\nsources = [\n  { url = \"https://h/{EL}\" },\n]\n"
	for _, tt := range []struct{ name, text, want string }{
		{"syntax", "schema = 1\nx = = 1\n", "f:2: "},
		{"schema missing", "[profiles.a]\n", "f:1: schema is 0"},
		{"schema newer", "\nschema = 2\n", "f:2: schema is 2: this program reads schema = 1"},
		{"type", "schema = 1\n[profiles.a]\nhidden = 3\n", "f:"},
		{"unknown top", "schema = 1\n\ncolour = 1\n", `f:3: unknown key "colour"`},
		{"unknown inner", "schema = 1\n[profiles.a]\nsummary = \"s\"\ncleint = \"rpm\"\n", `f:4: unknown key "profiles.a.cleint"`},
		{"unknown in list", head + "[profiles.a]\npackages = [\n {name=\"x\", repository=\"r\"},\n {name=\"y\", repo=\"r\"},\n]\n", `f:9: unknown key "profiles.a.packages.repo"`},
		{"client", "schema = 1\n[profiles.a]\nclient = \"deb\"\n", `f:3: profile "a": client is "deb": use "rpm" or "builtin"`},
		{"no repository", head + "[profiles.a]\npackages = [\n {name=\"x\", repository=\"r\"},\n {name=\"y\", repository=\"q\"},\n]\n", `f:9: profile "a": package "y": there is no repository "q"`},
		{"condition", head + "[profiles.a]\npackages = [\n {name=\"x\", repository=\"r\", when=\"el ~ 9\"},\n]\n", `f:8: profile "a": package "x": condition "el ~ 9": unknown operator "~"`},
		{"condition variable", head + "[profiles.a]\npackages = [\n {name=\"x\", repository=\"r\", when=\"elf = 9\"},\n]\n", `unknown variable "elf"`},
		{"condition form", head + "[profiles.a]\npackages = [\n {name=\"x\", repository=\"r\", when=\"el=9\"},\n]\n", `write VARIABLE OPERATOR VALUE`},
		{"template", "schema = 1\n[repositories.r]\nsources = [\n  { url = \"https://h/{OS}\" },\n]\n", `f:4: repository "r": unknown template in "https://h/{OS}"`},
		{"url", "schema = 1\n[repositories.r]\nsources = [\n  { url = \"ftp://h/\" },\n]\n", `f:4: repository "r": "ftp://h/" is not a base URL`},
		{"no sources", "schema = 1\n[repositories.r]\n", `f:2: repository "r" has no sources`},
		{"extends nothing", "schema = 1\n[profiles.a]\nextends = \"b\"\n", `f:3: profile "a" extends "b", which does not exist`},
		{"extends itself", "schema = 1\n[profiles.a]\nextends = \"b\"\n[profiles.b]\nextends = \"a\"\n", "extends itself: a -> b -> a"},
		{"machine arch", "schema = 1\n[machines.m]\narch = \"vax\"\n", `f:3: machine type "m": arch is "vax"`},
		{"machine name", "schema = 1\n[machines.\"a b\"]\narch = \"x86_64\"\ndistro=\"d\"\nversion=\"1\"\nel=9\n", `f:2: machine type "a b": the name`},
		{"package name", head + "[profiles.a]\npackages = [\n {name=\"../x\", repository=\"r\"},\n]\n", `f:8: profile "a": "../x" is not the name of a package`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", tt.text)
			if err == nil || !strings.HasPrefix(err.Error(), "f:") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestOverlay(t *testing.T) {
	s := shipped(t)
	err := s.Overlay("mine.toml", `schema = 1
[profiles.mine]
extends = "osg"
summary = "ours"
packages = [
  { name = "cvmfs-config-osg", repository = "site" },
]
[repositories.site]
sources = [ { url = "http://site.example/rpms/" } ]
`)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Select("mine", "rhel9-x86_64", Builtin)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Packages("")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, []Package{{Name: "cvmfs-config-osg", Repository: "site"}}); diff != "" {
		t.Error(diff)
	}
	if urls, err := c.BaseURLs("site"); err != nil || !slices.Equal(urls, []string{"http://site.example/rpms"}) {
		t.Errorf("got %v, %v", urls, err)
	}
	if err := s.Overlay("bad.toml", "schema = 1\n[profiles.osg]\nextends = \"mine\"\n"); err == nil {
		t.Error("a cycle over two files was accepted")
	}
}

func TestVersionWithoutClientIsAnError(t *testing.T) {
	s, err := Parse("f", "schema = 1\n[machines.m]\narch=\"x86_64\"\ndistro=\"d\"\nversion=\"1\"\nel=9\n[repositories.r]\nsources=[{url=\"http://h\"}]\n"+
		"[profiles.a]\npackages = [ {name=\"x\", repository=\"r\", when=\"version > 1\"} ]\n")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Select("a", "m", Builtin)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Packages(""); err == nil || !strings.Contains(err.Error(), "client = rpm") {
		t.Errorf("got %v", err)
	}
}

func TestHostMachine(t *testing.T) {
	s := shipped(t)
	for _, tt := range []struct{ release, arch, want string }{
		{"ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n", "x86_64", "rhel9-x86_64"},
		{"ID=rhel\nVERSION_ID=8\n", "aarch64", "rhel8-aarch64"},
		{"ID=debian\nVERSION_ID=\"12\"\n", "x86_64", "rhel9-x86_64"},
		{"ID=debian\nVERSION_ID=\"11\"\n", "x86_64", "rhel8-x86_64"},
		{"ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n", "ppc64le", "rhel9-ppc64le"},
		{"ID=\"sles\"\nID_LIKE=\"suse\"\nVERSION_ID=\"15.5\"\n", "aarch64", "suse15-aarch64"},
		{"ID=ubuntu\nVERSION_ID=\"18.04\"\n", "x86_64", ""},
		{"ID=alpine\nVERSION_ID=3.20\n", "x86_64", ""},
		{"", "x86_64", ""},
	} {
		got, err := s.HostMachine(tt.release, tt.arch)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: got %q, %v, want %q", tt.release, got, err, tt.want)
		}
	}
}

func TestMirrors(t *testing.T) {
	ms, err := ParseMirrors("https://a.example=http://m/a \n https://a.example/deep/=http://m/deep?no")
	if err == nil {
		t.Errorf("a mirror with a query was accepted: %v", ms)
	}
	ms, err = ParseMirrors("https://a.example=http://m/a\nhttps://a.example/deep/=http://m/d/")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ in, want []string }{
		{[]string{"https://a.example/x", "https://b.example/x"}, []string{"http://m/a/x"}},
		{[]string{"https://a.example/deep/y"}, []string{"http://m/d/y"}},
		{[]string{"https://a.example/deeper"}, []string{"http://m/a/deeper"}},
		{[]string{"https://a.example.org/x"}, []string{"https://a.example.org/x"}},
		{[]string{"https://b.example/x", "https://a.example"}, []string{"https://b.example/x", "http://m/a"}},
	} {
		if got := Mirrored(tt.in, ms); !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.in, got, tt.want)
		}
	}
	for _, bad := range []string{"", "x", "a=b", "http://x", "http://x=", "=http://x", "file:///x=http://y"} {
		if m, err := ParseMirror(bad); err == nil {
			t.Errorf("%q: got %+v, want an error", bad, m)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(cvmfsbundle.Profiles)
	f.Add("schema = 1\n[profiles.a]\nextends = \"a\"\n")
	f.Add("schema = 1\n[repositories.r]\nsources = [{ when = \"el >= 9 or\", url=\"http://h\"}]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("f", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("error without file and line: %v", err)
			}
			return
		}
		for _, p := range s.Names() {
			for _, m := range s.Machines() {
				if c, err := s.Select(p, m, Builtin); err == nil {
					c.Packages("")
				}
			}
		}
	})
}
