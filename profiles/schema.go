package profiles

// Schema is the version of the schema that this package reads.
const Schema = 1

// A Client says which program serves the mounts of a bundle.
type Client string

// The clients.
const (
	RPM     Client = "rpm"     // upstream's cvmfs2, from the RPM cvmfs
	Builtin Client = "builtin" // the project's own, static
)

// A Machine is a machine type: what the packages of a bundle must fit.
type Machine struct {
	Name    string `toml:"-"`
	Arch    string `toml:"arch"`
	Distro  string `toml:"distro"`
	Version string `toml:"version"`
	EL      int    `toml:"el"`
}

// GOARCH returns Go's name of the machine's architecture, or "" for one that the
// project is not built for.
func (m Machine) GOARCH() string {
	switch m.Arch {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "ppc64le":
		return "ppc64le"
	}
	return ""
}

// A Package is one entry of a profile's package list.
type Package struct {
	Name       string `toml:"name"`
	Repository string `toml:"repository"`
	When       string `toml:"when"`
	Lockstep   bool   `toml:"lockstep"` // of exactly the version and release of cvmfs
}

// A Profile is a named choice of packages and configuration.
type Profile struct {
	Name     string         `toml:"-"`
	Summary  string         `toml:"summary"`
	Extends  string         `toml:"extends"`
	Hidden   bool           `toml:"hidden"`
	Machines []string       `toml:"machines"`
	Client   Client         `toml:"client"`
	Versions []versionEntry `toml:"versions"`
	Packages []Package      `toml:"packages"`
	Local    string         `toml:"local"`

	where *source // the file it comes from, for errors
}

type versionEntry struct {
	When       string `toml:"when"`
	Repository string `toml:"repository"`
}

type repository struct {
	Sources []repositorySource `toml:"sources"`

	where *source
}

type repositorySource struct {
	When    string   `toml:"when"`
	URL     string   `toml:"url"`
	Mirrors []string `toml:"mirrors"`
}

// file is the document as TOML has it.
type file struct {
	Schema       int                   `toml:"schema"`
	Machines     map[string]Machine    `toml:"machines"`
	Repositories map[string]repository `toml:"repositories"`
	Profiles     map[string]Profile    `toml:"profiles"`
}
