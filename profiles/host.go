package profiles

import (
	"fmt"
	"slices"
	"strings"
)

// HostMachine returns the machine type of a host from the text of its
// /etc/os-release and its RPM architecture, as makedist translates it: systems like
// RHEL and SUSE by their major version, and the Debian and Ubuntu releases whose
// libraries fit an Enterprise Linux.
func (s *Set) HostMachine(osRelease, arch string) (string, error) {
	v := osReleaseValues(osRelease)
	major, _, _ := strings.Cut(v["VERSION_ID"], ".")
	like := append(strings.Fields(v["ID_LIKE"]), v["ID"])
	prefix := ""
	switch {
	case v["ID"] == "debian" && major == "11":
		prefix = "rhel8"
	case v["ID"] == "debian" && (major == "12" || major == "13"):
		prefix = "rhel9"
	case v["ID"] == "ubuntu" && (major == "22" || major == "24"):
		prefix = "rhel9"
	case slices.Contains(like, "rhel"):
		prefix = "rhel" + major
	case slices.Contains(like, "suse") || slices.Contains(like, "sles"):
		prefix = "suse" + major
	}
	name := prefix + "-" + arch
	if _, ok := s.machines[name]; ok {
		return name, nil
	}
	return "", fmt.Errorf("this system (%s %s, %s) has no machine type: choose one of %s with -machine",
		v["ID"], v["VERSION_ID"], arch, strings.Join(s.Machines(), ", "))
}

// osReleaseValues reads the assignments of an os-release file (os-release(5)).
func osReleaseValues(text string) map[string]string {
	v := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			v[key] = strings.Trim(value, `"'`)
		}
	}
	return v
}

// RPMArch returns RPM's name of one of Go's architectures.
func RPMArch(goarch string) string {
	switch goarch {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return goarch
}
