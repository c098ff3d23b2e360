// Package rpmrepo makes RPM packages and rpm-md repositories in Go alone, for the
// demonstration and for tests on machines without rpmbuild and createrepo_c.
// (Package rpmtest uses the real tools.)
package rpmrepo

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/rpmpack"
)

// A File is one file of a package. Directories above it need not be listed.
type File struct {
	Path string      // absolute, as installed
	Mode fs.FileMode // permission bits, and fs.ModeDir for a directory; 0 is 0644
	Data []byte
	Link string // target, for a symbolic link
}

// A Package is what to make. Version, Release and Arch default to 1.0, 1 and noarch.
type Package struct {
	Name, Version, Release, Arch string
	Epoch                        uint32
	Compressor                   string // gzip (the default), xz or zstd
	Files                        []File
}

func (p Package) defaults() Package {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&p.Version, "1.0")
	def(&p.Release, "1")
	def(&p.Arch, "noarch")
	def(&p.Compressor, "gzip")
	return p
}

// buildTime is that of every package: repositories are reproducible.
var buildTime = time.Unix(1_700_000_000, 0)

// location returns the package's place in a repository.
func (p Package) location() string {
	return fmt.Sprintf("Packages/%s-%s-%s.%s.rpm", p.Name, p.Version, p.Release, p.Arch)
}

// Write makes a repository in dir: the packages below Packages, their metadata below
// repodata.
func Write(dir string, packages ...Package) error {
	if err := os.MkdirAll(filepath.Join(dir, "Packages"), 0o755); err != nil {
		return err
	}
	for i, p := range packages {
		packages[i] = p.defaults()
		if err := packages[i].write(filepath.Join(dir, packages[i].location())); err != nil {
			return fmt.Errorf("package %s: %w", p.Name, err)
		}
	}
	return writeMetadata(dir, packages)
}

func (p Package) write(file string) (err error) {
	meta := rpmpack.RPMMetaData{
		Name: p.Name, Version: p.Version, Release: p.Release, Epoch: p.Epoch, Arch: p.Arch,
		Summary: p.Name, Description: p.Name, Licence: "BSD", BuildHost: "localhost", BuildTime: buildTime,
		Compressor: p.Compressor,
	}
	if p.Epoch == 0 {
		meta.Epoch = rpmpack.NoEpoch
	}
	r, err := rpmpack.NewRPM(meta)
	if err != nil {
		return err
	}
	for _, f := range p.Files {
		if !path.IsAbs(f.Path) || strings.ContainsRune(f.Path, 0) {
			return fmt.Errorf("%q is not an absolute path", f.Path)
		}
		r.AddFile(f.rpm())
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	return r.Write(out)
}

// Types of files (stat(2)).
const (
	typeDir     = 0o040000
	typeRegular = 0o100000
	typeLink    = 0o120000
)

func (f File) rpm() rpmpack.RPMFile {
	out := rpmpack.RPMFile{
		Name: f.Path, Body: f.Data, Mode: uint(f.Mode.Perm()),
		Owner: "root", Group: "root", MTime: uint32(buildTime.Unix()),
	}
	switch {
	case f.Link != "":
		out.Mode, out.Body = typeLink|0o777, []byte(f.Link)
	case f.Mode.IsDir():
		out.Mode |= typeDir
	case out.Mode == 0:
		out.Mode = typeRegular | 0o644
	default:
		out.Mode |= typeRegular
	}
	return out
}
