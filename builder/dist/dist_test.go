package dist

import (
	"debug/elf"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/builder/rpmfile"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmrepo"
	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmtest"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

var machine = profiles.Machine{Name: "rhel9-x86_64", Arch: "x86_64", Distro: "rhel", Version: "9", EL: 9}

// rpms makes packages, one for each list of files.
func rpms(t *testing.T, lists ...[]rpmrepo.File) []*rpmfile.Package {
	t.Helper()
	dir := t.TempDir()
	var out []*rpmfile.Package
	for i, files := range lists {
		name := string(rune('a' + i))
		if err := rpmrepo.Write(dir, rpmrepo.Package{Name: name, Files: files}); err != nil {
			t.Fatal(err)
		}
		p, err := rpmfile.Open(filepath.Join(dir, "Packages", name+"-1.0-1.noarch.rpm"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		out = append(out, p)
	}
	return out
}

func client(m elf.Machine) []rpmrepo.File {
	return []rpmrepo.File{
		{Path: "/usr/bin/cvmfs2", Data: []byte(rpmtest.ELF(m)), Mode: 0o755},
		{Path: "/etc/cvmfs/default.conf", Data: []byte("A=b\n")},
	}
}

func TestBuiltin(t *testing.T) {
	dir := t.TempDir()
	program := []byte(rpmtest.ELF(elf.EM_X86_64))
	err := Lay(t.Context(), dir, Options{Machine: machine, Client: profiles.Builtin, Program: program, Local: "A=1", Append: []string{"B=2\n", ""}, Set: []string{"C=3 4"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range []string{"usr/bin/cvmfs2", "etc/os-release", "etc/cvmfs/default.local", ".cvmfsexecdist"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = string(data)
	}
	want := map[string]string{
		"usr/bin/cvmfs2":          string(program),
		"etc/os-release":          "ID_LIKE=\"rhel\"\nVERSION_ID=\"9\"\n",
		"etc/cvmfs/default.local": "A=1\nB=2\nC='3 4'\n",
		".cvmfsexecdist":          "disttype: standard\nmachtype: rhel9-x86_64\nclient: builtin\n",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

// TestDefaultConf compares our default.conf with the packaged defaults of upstream
// 2.12 (its default.conf and parameter documentation).
func TestDefaultConf(t *testing.T) {
	got := map[string]string{}
	for line := range strings.Lines(string(defaultConf)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
			got[k] = v
		}
	}
	want := map[string]string{
		"CVMFS_CLIENT_PROFILE": "", "CVMFS_CACHE_BASE": "/var/lib/cvmfs", "CVMFS_SHARED_CACHE": "yes", "CVMFS_QUOTA_LIMIT": "4000",
		"CVMFS_STRICT_MOUNT": "no", "CVMFS_CHECK_PERMISSIONS": "yes", "CVMFS_CLAIM_OWNERSHIP": "yes", "CVMFS_NFILES": "131072",
		"CVMFS_TIMEOUT": "5", "CVMFS_TIMEOUT_DIRECT": "10", "CVMFS_MAX_RETRIES": "1", "CVMFS_BACKOFF_INIT": "2", "CVMFS_BACKOFF_MAX": "10",
		"CVMFS_LOW_SPEED_LIMIT": "1024", "CVMFS_HOST_RESET_AFTER": "1800", "CVMFS_PROXY_RESET_AFTER": "300", "CVMFS_USE_GEOAPI": "no",
		"CVMFS_SEND_INFO_HEADER": "no", "CVMFS_KEYS_DIR": "/etc/cvmfs/keys",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name    string
		files   []rpmrepo.File
		message string
	}{
		{"good", client(elf.EM_X86_64), ""},
		{"nothing", nil, `the packages bring no "usr/bin/cvmfs2"`},
		{"no default.conf", client(elf.EM_X86_64)[:1], `the packages bring no "etc/cvmfs/default.conf"`},
		{"other machine", client(elf.EM_AARCH64), "usr/bin/cvmfs2 is for EM_AARCH64, machine type rhel9-x86_64 needs EM_X86_64"},
		{"script", append(client(elf.EM_X86_64)[1:], rpmrepo.File{Path: "/usr/bin/cvmfs2", Data: []byte("#!/bin/sh\n"), Mode: 0o755}), "usr/bin/cvmfs2 is not a program"},
		{"not executable", append(client(elf.EM_X86_64)[1:], rpmrepo.File{Path: "/usr/bin/cvmfs2", Data: []byte(rpmtest.ELF(elf.EM_X86_64)), Mode: 0o644}), "is not executable"},
		{"link to the host", append(client(elf.EM_X86_64)[1:], rpmrepo.File{Path: "/usr/bin/cvmfs2", Link: "/bin/sh"}), `the packages bring no "usr/bin/cvmfs2"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Lay(t.Context(), t.TempDir(), Options{Machine: machine, Client: profiles.RPM, RPMs: rpms(t, tt.files)})
			if tt.message == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if exit.CodeOf(err) != exit.Unresolved || !strings.Contains(err.Error(), tt.message) {
				t.Errorf("got %d, %v", exit.CodeOf(err), err)
			}
		})
	}
}

// TestPackageCannotSteerOwnFiles: links in packages where our own files go.
func TestPackageCannotSteerOwnFiles(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("untouched"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := append(client(elf.EM_X86_64),
		rpmrepo.File{Path: "/etc/os-release", Link: outside},
		rpmrepo.File{Path: "/etc/cvmfs/default.local", Link: "default.conf"},
		rpmrepo.File{Path: "/.cvmfsexecdist", Link: "../../outside"})
	if err := Lay(t.Context(), dir, Options{Machine: machine, Client: profiles.RPM, RPMs: rpms(t, files)}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "untouched" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "etc/cvmfs/default.conf")); err != nil || string(got) != "A=b\n" {
		t.Errorf("default.conf: got %q, %v", got, err)
	}
	for _, f := range []string{"etc/os-release", "etc/cvmfs/default.local", ".cvmfsexecdist"} {
		if fi, err := os.Lstat(filepath.Join(dir, f)); err != nil || !fi.Mode().IsRegular() {
			t.Errorf("%s: got %v, %v", f, fi, err)
		}
	}
}

func TestPackagesConflict(t *testing.T) {
	a := client(elf.EM_X86_64)
	b := []rpmrepo.File{{Path: "/etc/cvmfs/default.conf", Data: []byte("A=c\n")}}
	err := Lay(t.Context(), t.TempDir(), Options{Machine: machine, Client: profiles.RPM, RPMs: rpms(t, a, b)})
	if exit.CodeOf(err) != exit.Digest || !strings.Contains(err.Error(), `unpack b-1.0-1.noarch: payload: "etc/cvmfs/default.conf": refused: another package has a different file`) {
		t.Errorf("got %d, %v", exit.CodeOf(err), err)
	}
}

func TestInTree(t *testing.T) {
	for _, tt := range []struct{ name, target, want string }{
		{"usr/bin/x", "/usr/lib/y", "../lib/y"},
		{"x", "/usr/lib/y", "usr/lib/y"},
		{"usr/lib/x", "/usr/lib/y", "y"},
		{"usr/lib/x", "/usr/lib", "."},
		{"usr/lib/x", "/usr", ".."},
		{"usr/lib/x", "/", "../.."},
		{"usr/lib/x", "/../../etc/y", "../../etc/y"},
		{"usr/lib/x", "//a///b/", "../../a/b"},
		{"usr/lib/x", "y", "y"},
		{"usr/lib/x", "../lib64/y", "../lib64/y"},
		{"usr/lib/x", "../../y", "../../y"},
		{"usr/lib/x", "../../../y", "../../y"},
		{"x", "../../etc/passwd", "etc/passwd"},
		{"a/b/c/x", "d/../../../../y", "../../../y"},
		{"a/b/x", "d/../y", "y"},
		{"a/x", "./y", "./y"},
	} {
		if got := inTree(tt.name, tt.target); got != tt.want {
			t.Errorf("%s -> %s: got %s, want %s", tt.name, tt.target, got, tt.want)
		}
	}
}

func FuzzInTree(f *testing.F) {
	f.Add("a/b/c", "d/../../../../e")
	f.Add("a", "/../..")
	f.Fuzz(func(t *testing.T, name, target string) {
		if name = strings.Trim(path.Clean("/"+name), "/"); name == "" || target == "" {
			return
		}
		got := inTree(name, target)
		if path.IsAbs(got) || climbs(got) > depth(path.Dir(name)) {
			t.Errorf("%q -> %q: %q leaves the tree", name, target, got)
		}
		if again := inTree(name, got); again != got {
			t.Errorf("%q -> %q: %q becomes %q", name, target, got, again)
		}
		if want := path.Join("/", path.Dir(name), target); !path.IsAbs(target) && path.Join("/", path.Dir(name), got) != want {
			t.Errorf("%q -> %q: %q leads elsewhere", name, target, got)
		}
	})
}

func TestParseSet(t *testing.T) {
	for _, bad := range []string{"", "X", "=x", "1X=y", "X Y=z", "X-Y=z", "X=a\nb", "X=a\x00", "X=a\rb", "é=x", "X;rm=y"} {
		if _, _, err := ParseSet(bad); exit.CodeOf(err) != exit.Usage {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	if k, v, err := ParseSet("_X9=a=b c"); k != "_X9" || v != "a=b c" || err != nil {
		t.Errorf("got %q, %q, %v", k, v, err)
	}
}
