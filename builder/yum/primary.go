package yum

import (
	"fmt"
	"io"
	"strconv"

	"github.com/cvmfsbundle/cvmfsbundle/internal/evr"
)

// Limits of primary metadata: the largest known repositories have a fifth of this.
const (
	MaxPrimary     = 256 << 20 // bytes as fetched
	MaxOpenPrimary = 2 << 30   // bytes decompressed
	maxPackages    = 2_000_000
	maxKept        = 10_000
)

// A Package is what primary metadata says of one package.
type Package struct {
	Name     string
	EVR      evr.EVR
	Arch     string
	Checksum Checksum
	Size     int64 // of the package file, in bytes
	Href     string
	Base     string // xml:base of the location; such packages are not taken
}

// NEVRA returns NAME-[EPOCH:]VERSION-RELEASE.ARCH.
func (p Package) NEVRA() string { return p.Name + "-" + p.EVR.String() + "." + p.Arch }

// ParsePrimary reads (decompressed) primary metadata and returns the packages whose
// names keep wants.
func ParsePrimary(r io.Reader, keep func(name string) bool) ([]Package, error) {
	s := newScanner(r)
	var out []Package
	count := 0
	for {
		ev, err := s.next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if ev != startElement {
			continue
		}
		switch {
		case s.depth() == 1 && s.name != "metadata":
			return nil, malformed("the document is a <%s>, not a <metadata>", clip(s.name))
		case s.depth() == 2 && s.name == "package":
			if count++; count > maxPackages {
				return nil, malformed("more than %d packages", maxPackages)
			}
			p, wanted, err := parsePackage(s, keep)
			if err != nil {
				return nil, err
			}
			if wanted {
				out = append(out, p)
			}
			if len(out) > maxKept {
				return nil, malformed("more than %d packages of the names sought", maxKept)
			}
		}
	}
}

// parsePackage reads the rest of a <package> element.
func parsePackage(s *scanner, keep func(string) bool) (Package, bool, error) {
	p := Package{Size: -1}
	wanted := s.attr("type") == "rpm"
	var sumType string
	for {
		ev, err := s.next()
		if err != nil {
			return p, false, err
		}
		switch {
		case ev == endElement && s.depth() == 1:
			if wanted {
				err = p.check()
			}
			return p, wanted, err
		case !wanted:
		case ev == startElement && s.depth() == 3:
			switch s.name {
			case "name", "arch", "checksum":
				s.keep, sumType = true, s.attr("type")
			case "version":
				p.EVR, err = parseVersion(s)
			case "size":
				p.Size, err = parseSize(s.attr("package"))
			case "location":
				p.Href, p.Base = s.attr("href"), s.attr("xml:base")
			}
		case ev == endElement && s.depth() == 2:
			switch s.name {
			case "name":
				p.Name = string(s.text)
				wanted = keep(p.Name)
			case "arch":
				p.Arch = string(s.text)
			case "checksum":
				p.Checksum, err = parseChecksum(sumType, string(s.text))
			}
		}
		if err != nil {
			return p, false, fmt.Errorf("package %q: %w", clip(p.Name), err)
		}
	}
}

func parseVersion(s *scanner) (evr.EVR, error) {
	e := evr.EVR{Version: s.attr("ver"), Release: s.attr("rel")}
	if epoch := s.attr("epoch"); epoch != "" {
		n, err := strconv.ParseUint(epoch, 10, 32)
		if err != nil {
			return e, fmt.Errorf("epoch %q is not a number", clip(epoch))
		}
		e.Epoch = uint32(n)
	}
	return e, nil
}

func (p Package) check() error {
	switch {
	case p.Name == "" || !word(p.Name) || !word(p.Arch) || !word(p.EVR.Version) || !word(p.EVR.Release):
		return fmt.Errorf("package %q: name, version (%q), release (%q) or architecture (%q) is missing or odd",
			clip(p.Name), clip(p.EVR.Version), clip(p.EVR.Release), clip(p.Arch))
	case p.Checksum.IsZero() || p.Size < 0:
		return fmt.Errorf("package %q: the metadata gives no checksum or no size", p.NEVRA())
	}
	if err := CheckHref(p.Href); err != nil {
		return fmt.Errorf("package %q: %w", p.NEVRA(), err)
	}
	return nil
}

// word reports whether s can be part of a NEVRA: what rpm allows there.
func word(s string) bool {
	if s == "" || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') &&
			c != '.' && c != '_' && c != '+' && c != '~' && c != '^' && c != '-' {
			return false
		}
	}
	return true
}
