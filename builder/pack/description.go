package pack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
)

// DescriptionFile is the file at the top of a dist tree that says what the tree
// is. The original makedist writes the first two lines; the third is ours:
//
//	disttype: standard      (sing, for singcvmfs)
//	machtype: rhel9-x86_64
//	client: rpm             (builtin; absent: rpm)
const DescriptionFile = ".cvmfsexecdist"

// Description is what the [DescriptionFile] says.
type Description struct {
	Kind    payload.Kind
	Machine string
	Client  payload.Client
}

// ReadDescription reads the description of a dist tree.
func ReadDescription(dist *os.Root) (Description, error) {
	f, err := dist.Open(DescriptionFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Description{}, fmt.Errorf("it has no %s, so it was not made by makedist or cvmfsbundle dist", DescriptionFile)
	}
	if err != nil {
		return Description{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return Description{}, err
	}
	return ParseDescription(string(data))
}

// ParseDescription parses the text of a [DescriptionFile]. Lines it does not know
// are left to later versions.
func ParseDescription(text string) (Description, error) {
	d := Description{Client: payload.RPM}
	n := 0
	for line := range strings.Lines(text) {
		n++
		key, value, found := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch {
		case !found && key != "":
			return d, fmt.Errorf("%s:%d: %.80q is not KEY: VALUE", DescriptionFile, n, key)
		case key == "disttype" && value == "standard":
			d.Kind = payload.Cvmfsexec
		case key == "disttype" && value == "sing":
			d.Kind = payload.Singcvmfs
		case key == "disttype":
			return d, fmt.Errorf("%s:%d: disttype %.80q is neither standard nor sing", DescriptionFile, n, value)
		case key == "machtype":
			d.Machine = value
		case key == "client" && value != string(payload.RPM) && value != string(payload.Builtin):
			return d, fmt.Errorf("%s:%d: client %.80q is neither rpm nor builtin", DescriptionFile, n, value)
		case key == "client":
			d.Client = payload.Client(value)
		}
	}
	if d.Kind == "" || d.Machine == "" {
		return d, fmt.Errorf("%s: a line disttype or machtype is missing", DescriptionFile)
	}
	return d, nil
}

// String returns the text that ParseDescription reads.
func (d Description) String() string {
	disttype := "standard"
	if d.Kind == payload.Singcvmfs {
		disttype = "sing"
	}
	return fmt.Sprintf("disttype: %s\nmachtype: %s\nclient: %s\n", disttype, d.Machine, d.Client)
}

// complete fills the gaps of m, and refuses what contradicts d.
func (d Description) complete(m *payload.Meta) error {
	if m.Kind == "" {
		m.Kind = d.Kind
	}
	if m.Machine == "" {
		m.Machine = d.Machine
	}
	if m.Client == "" {
		m.Client = d.Client
	}
	switch {
	case m.Kind != d.Kind:
		return fmt.Errorf("it was made for %s, not for %s (makedist: with or without -s)", d.Kind, m.Kind)
	case m.Machine != d.Machine:
		return fmt.Errorf("it was made for machine type %q, not for %q", d.Machine, m.Machine)
	case m.Client != d.Client:
		return fmt.Errorf("its client is %s, not %s", d.Client, m.Client)
	}
	return nil
}
