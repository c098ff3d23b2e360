package mode

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

func TestNoModeError(t *testing.T) {
	a := &Refusal{Mode: UsernsFuse, Tried: "open x", Err: unix.EACCES, Why: "it is closed", Hints: []string{"1", "2"}}
	b := &Refusal{Mode: Fusermount, Tried: "find fusermount", Err: errors.New("not found"), Hints: []string{"3", "4"}}
	err := NoModeError(a, b)
	want := "mode 3 cannot be used here: open x: permission denied (it is closed); mode 1 cannot be used here: find fusermount: not found"
	if err.Error() != want || exit.CodeOf(err) != exit.NoMode || len(exit.HintsOf(err)) != 3 {
		t.Errorf("%d %q %q; want %q", exit.CodeOf(err), err, exit.HintsOf(err), want)
	}
	if !errors.Is(a, unix.EACCES) {
		t.Error("a refusal does not wrap its cause")
	}
	if err := NoModeError(); exit.CodeOf(err) != exit.NoMode {
		t.Errorf("no refusals: %v", err)
	}
}

func TestModeString(t *testing.T) {
	for m, want := range map[Mode]string{Auto: "auto", UsernsFuse: "3 (user namespace with fuse inside)", 9: "9", -1: "-1"} {
		if got := m.String(); got != want {
			t.Errorf("%d: %q; want %q", int(m), got, want)
		}
	}
}
