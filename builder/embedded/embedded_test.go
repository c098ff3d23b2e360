package embedded

import (
	"bytes"
	"debug/elf"
	"slices"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// TestPrograms holds in a fresh clone and after make.
func TestPrograms(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "ppc64le": elf.EM_PPC64}
	have := Architectures()
	for goarch, machine := range machines {
		for _, get := range []func(string) ([]byte, error){Stub, Client} {
			data, err := get(goarch)
			if len(have) == 0 {
				if err == nil || err.Error() != "this cvmfsbundle was built without stubs: build it with make" || len(exit.HintsOf(err)) != 1 {
					t.Errorf("%s: got %v", goarch, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", goarch, err)
				continue
			}
			e, err := elf.NewFile(bytes.NewReader(data))
			if err != nil || e.Machine != machine || slices.ContainsFunc(e.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
				t.Errorf("%s: not a static program for it: %v", goarch, err)
			}
		}
	}
	if _, err := Stub("vax"); err == nil || len(have) > 0 && !strings.Contains(err.Error(), "has no stub for vax, only for amd64") {
		t.Errorf("got %v", err)
	}
}
