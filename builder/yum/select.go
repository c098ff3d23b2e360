package yum

import (
	"cmp"
	"slices"
	"strings"
)

// Newest returns the newest package of a name for an architecture (packages without
// one included). A version that is not empty must be equal to the package's, either
// VERSION or VERSION-RELEASE. Of equally new packages the one for the architecture
// wins over noarch, then the first in order of location.
func Newest(pkgs []Package, name, arch, version string) (Package, bool) {
	var fit []Package
	for _, p := range pkgs {
		if p.Name != name || p.Arch != arch && p.Arch != "noarch" {
			continue
		}
		if version != "" && version != p.EVR.Version && version != p.EVR.Version+"-"+p.EVR.Release {
			continue
		}
		fit = append(fit, p)
	}
	if len(fit) == 0 {
		return Package{}, false
	}
	slices.SortFunc(fit, func(a, b Package) int {
		return cmp.Or(
			b.EVR.Compare(a.EVR),
			strings.Compare(noarchLast(a), noarchLast(b)),
			strings.Compare(a.Href, b.Href),
		)
	})
	return fit[0], true
}

func noarchLast(p Package) string {
	if p.Arch == "noarch" {
		return "1"
	}
	return "0"
}
