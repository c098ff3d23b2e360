// Package plan is what the process on the host and init, pid 1 of a run, tell each
// other: the plan that init is started with, and the messages on the control socket
// between them.
package plan

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/cvmfsbundle/cvmfsbundle/runtime/inherit"
)

// InitName is argv[0] of init; argv[1] is the number of the descriptor the plan is
// read from.
const InitName = "cvmfsexec-init"

// Text is a string of any bytes: paths, arguments and variables need not be UTF-8.
type Text string

// MarshalJSON writes valid UTF-8 as a string and anything else as {"b": base64}.
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(map[string]string{"b": base64.StdEncoding.EncodeToString([]byte(t))})
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (t *Text) UnmarshalJSON(data []byte) error {
	var s string
	if json.Unmarshal(data, &s) == nil {
		*t = Text(s)
		return nil
	}
	var o struct{ B []byte }
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	*t = Text(o.B)
	return nil
}

// Texts and Strings convert slices.
func Texts(ss []string) []Text {
	out := make([]Text, len(ss))
	for i, s := range ss {
		out[i] = Text(s)
	}
	return out
}

// Strings is the inverse of [Texts].
func Strings(ts []Text) []string {
	out := make([]string, len(ts))
	for i, t := range ts {
		out[i] = string(t)
	}
	return out
}

// Plan is what init has to know. Descriptors are numbers in init.
type Plan struct {
	Dist   Text // the dist tree
	NoExec bool // it lies on a noexec mount: a copy in memory goes over it
	State  Text // writable: cache, logs
	Sealed Text // directory whose mount becomes read-only after the mounts

	UserNS bool // we are fake root: the command gets a user namespace of its own
	PIDNS  bool // we are pid 1
	UID    int  // the caller's, for the command
	GID    int

	Dir     Text   // working directory of the command
	Command []Text // never empty
	Env     []Text // of the command
	Inherit inherit.State
	Foreign []int // the caller's descriptors above 2

	Control int // the control socket
	PIDs    int // pipe with the pids of the clients in Started, 4 bytes each
	Null    int // /dev/null

	ConfigRepo string
	Started    []Client // mounted and started already
	Pending    []string // to be mounted when those in Started answer
	Local      Text     // CVMFSEXEC_LOCAL
	Set        []Text   // --set
	CacheBase  Text     // the run's cache instead of what the configuration says; "" for that
	RunDir     Text     // the run's directory of sockets; "" for the dist tree's
	MountLimit int      // seconds that a mount may take
}

// Client is a started client.
type Client struct {
	Repo   string
	Config Text // its configuration, to start it again
	Output int  // read end of its stdout and stderr
	Debug  bool
	Checks bool // the kernel checks permissions
}

// Write encodes p.
func (p *Plan) Write(w io.Writer) error {
	return json.NewEncoder(w).Encode(p)
}

// Read decodes the plan on descriptor fd, from its beginning.
func Read(fd int) (*Plan, error) {
	f := os.NewFile(uintptr(fd), "plan")
	if f == nil {
		return nil, fmt.Errorf("descriptor %d holds no plan", fd)
	}
	defer f.Close()
	p := new(Plan)
	if err := json.NewDecoder(io.NewSectionReader(f, 0, 1<<28)).Decode(p); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	return p, nil
}
