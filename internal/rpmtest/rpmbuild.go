// Package rpmtest makes RPM packages and repositories for tests with the real
// tools, rpmbuild and createrepo_c, and serves them. (Package rpmrepo makes them
// without any tool.)
package rpmtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// Tools are the needs of this package.
var Tools = []testenv.Need{
	testenv.Tool("rpmbuild", "rpm"),
	testenv.Tool("createrepo_c", "createrepo-c"),
}

// Values of rpm's _binary_payload: one for each compression.
const (
	Gzip  = "w9.gzdio"
	Xz    = "w6.xzdio"
	Zstd  = "w10.zstdio"
	Plain = "w.ufdio"
	Bzip2 = "w9.bzdio"
	Lzma  = "w6.lzdio"
)

// A File is one file of a package.
type File struct {
	Path  string // absolute, as installed
	Mode  os.FileMode
	Data  string
	Link  string // target of a symbolic link
	Hard  string // path of another file of the package that this is a hard link to
	Dir   bool
	Attrs string // directives in front of it in %files, "%config", "%ghost"
}

// A Spec describes a package. Version, Release and Arch have defaults: 1.0, 1,
// x86_64.
type Spec struct {
	Name, Version, Release, Epoch, Arch string
	Payload                             string // default [Zstd]
	Files                               []File
	Source                              string // a directory whose content is packed too, owned by root
}

// Build makes the package with rpmbuild and returns the path of the file, in dir.
func Build(t testing.TB, dir string, s Spec) string {
	t.Helper()
	testenv.Needs(t, Tools...)
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&s.Version, "1.0")
	def(&s.Release, "1")
	def(&s.Arch, "x86_64")
	def(&s.Payload, Zstd)
	top, err := os.MkdirTemp(dir, "rpmbuild-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(top)
	src := filepath.Join(top, "tree")
	for _, f := range s.Files {
		write(t, src, f)
	}
	spec := filepath.Join(top, "package.spec")
	if err := os.WriteFile(spec, []byte(s.text(src)), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("rpmbuild", "-bb", "--quiet", "--target", s.Arch, "--define", "_topdir "+top, "--define", "_rpmdir "+dir,
		"--define", "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
		"--define", "_binary_payload "+s.Payload, "--define", "_build_id_links none", "--define", "debug_package %{nil}",
		"--define", "__os_install_post %{nil}", "--define", "_build_pkgcheck %{nil}",
		"--define", "source_date_epoch_from_changelog 0", "--define", "use_source_date_epoch_as_buildtime 1", spec)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000", "HOME="+top)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("rpmbuild %s: %v\n%s", s.Name, err, out)
	}
	return filepath.Join(dir, fmt.Sprintf("%s-%s-%s.%s.rpm", s.Name, s.Version, s.Release, s.Arch))
}

func (s Spec) text(src string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Name: %s\nVersion: %s\nRelease: %s\n", s.Name, s.Version, s.Release)
	if s.Epoch != "" {
		fmt.Fprintf(&b, "Epoch: %s\n", s.Epoch)
	}
	if s.Arch == "noarch" {
		b.WriteString("BuildArch: noarch\n")
	}
	fmt.Fprintf(&b, "Summary: a package for tests\nLicense: BSD\nAutoReqProv: no\n%%description\nFor tests.\n%%install\nmkdir -p %%{buildroot} %s\ncp -a %s/. %%{buildroot}/\n", src, src)
	if s.Source != "" {
		fmt.Fprintf(&b, "cp -a %s/. %%{buildroot}/\n", s.Source)
	}
	b.WriteString("%files\n%defattr(-,root,root,-)\n")
	if s.Source != "" {
		b.WriteString("/*\n")
	}
	for _, f := range s.Files {
		attrs := f.Attrs
		if f.Dir {
			attrs += " %dir"
		}
		if f.Link == "" && f.Mode != 0 {
			attrs += fmt.Sprintf(" %%attr(%04o,root,root)", f.Mode)
		}
		fmt.Fprintf(&b, "%s \"%s\"\n", attrs, escape(f.Path))
	}
	return b.String()
}

// escape protects a path from the patterns and macros of a %files list.
func escape(path string) string {
	return strings.NewReplacer("%", "%%", "[", `\[`, "]", `\]`, "*", `\*`, "?", `\?`, "{", `\{`, "}", `\}`).Replace(path)
}

func write(t testing.TB, root string, f File) {
	t.Helper()
	path := filepath.Join(root, f.Path)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	switch {
	case err != nil:
	case f.Dir:
		err = os.MkdirAll(path, 0o755)
	case f.Link != "":
		err = os.Symlink(f.Link, path)
	case f.Hard != "":
		err = os.Link(filepath.Join(root, f.Hard), path)
	default:
		err = os.WriteFile(path, []byte(f.Data), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Createrepo runs createrepo_c on a directory of packages. Args are further
// options.
func Createrepo(t testing.TB, dir string, args ...string) {
	t.Helper()
	testenv.Needs(t, Tools...)
	cmd := exec.Command("createrepo_c", append([]string{"--quiet", "--no-database"}, append(args, dir)...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("createrepo_c: %v\n%s", err, out)
	}
}
