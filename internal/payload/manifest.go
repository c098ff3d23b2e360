package payload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
)

// Kind says which tool a bundle stands for.
type Kind string

// The kinds of bundle.
const (
	Cvmfsexec Kind = "cvmfsexec" // modes 1 to 3, disttype "standard"
	Singcvmfs Kind = "singcvmfs" // mode 4, disttype "sing"
)

// Client says whose CVMFS client lies at dist/usr/bin/cvmfs2.
type Client string

// The clients.
const (
	RPM     Client = "rpm"     // upstream's, from its package
	Builtin Client = "builtin" // ours
)

// Meta is what a bundle says about itself besides its content.
type Meta struct {
	Kind          Kind      `json:"kind"`
	Profile       string    `json:"profile"`                  // osg, egi, default, none, ...
	Machine       string    `json:"machine"`                  // machine type, rhel9-x86_64
	Client        Client    `json:"client"`                   //
	ClientVersion string    `json:"client_version,omitempty"` // empty: not known
	StubVersion   string    `json:"stub_version,omitempty"`   //
	ProfileHash   *Digest   `json:"profile_sha256,omitempty"` // of the effective profile; nil: packed from a directory
	Epoch         int64     `json:"source_date_epoch"`        // mtime of every file, seconds since 1970
	Packages      []Package `json:"packages,omitempty"`       // in the order they were laid out
}

// Package is an RPM package that went into the bundle.
type Package struct {
	NEVRA  string `json:"nevra"`            // name-epoch:version-release.arch
	URL    string `json:"url"`              // where it was fetched
	SHA256 Digest `json:"sha256"`           // of the .rpm file
	Signer string `json:"signer,omitempty"` // fingerprint of the key that signed it; empty: none
}

// Manifest is the description of a bundle, its JSON the bytes that [ID] is the
// digest of.
type Manifest struct {
	Meta
	Stub   Stub    `json:"stub"`
	Frames []Frame `json:"frames"`
	Files  []File  `json:"files"` // in the order of the tar stream
}

// Stub is the program at the head of the file.
type Stub struct {
	Length int64  `json:"length"` // bytes; the payload's offset
	SHA256 Digest `json:"sha256"`
}

// Frame is one zstd frame of the payload.
type Frame struct {
	Offset int64  `json:"offset"` // from the beginning of the file
	Length int64  `json:"length"` // compressed bytes
	Raw    int64  `json:"raw"`    // bytes of tar stream in it
	SHA256 Digest `json:"sha256"` // of the compressed bytes
}

// Type is the type of a [File].
type Type string

// The types of file that a bundle can hold.
const (
	Dir     Type = "dir"
	Regular Type = "file"
	Symlink Type = "link"
)

// Mode is permission bits. It reads and writes as an octal number in quotes.
type Mode fs.FileMode

// MarshalText implements encoding.TextMarshaler.
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(clip(text)), 8, 16)
	if err != nil {
		return fmt.Errorf("mode %q is not an octal number", clip(text))
	}
	*m = Mode(n)
	return nil
}

// File is one file, directory or symbolic link of a bundle.
type File struct {
	Path   string  `json:"path"` // relative, as fs.ValidPath wants it
	Type   Type    `json:"type"`
	Mode   Mode    `json:"mode,omitzero"`   // see [ModeOf]; 0 for a link
	Size   int64   `json:"size,omitzero"`   // of a regular file
	SHA256 *Digest `json:"sha256,omitzero"` // of a regular file's content; nil for the others
	Target string  `json:"target,omitzero"` // of a symbolic link
}

// ModeOf returns the mode with which a file or directory of mode m goes into a
// bundle. The owner may read and write, nobody else may write; setuid, setgid and
// sticky bits are dropped: the tree belongs to whoever unpacks it.
func ModeOf(m fs.FileMode) Mode {
	p := m.Perm()&^0o022 | 0o600
	if m.IsDir() {
		p |= 0o100
	}
	return Mode(p)
}

// encode returns the JSON whose digest is the bundle's ID.
func (m *Manifest) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	return b.Bytes(), nil
}

// parseManifest reads a manifest without judging it. Unknown members are ignored:
// a later builder may say more.
func parseManifest(data []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, corrupt("manifest: %w", err)
	}
	return m, nil
}
