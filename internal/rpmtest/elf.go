package rpmtest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// ELF returns the smallest thing that is an ELF program for a machine: a header. It
// does not run.
func ELF(m elf.Machine) string {
	h := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(m), Version: uint32(elf.EV_CURRENT),
		Ehsize: 64, Phentsize: 56, Shentsize: 64,
	}
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, h) // cannot fail: fixed size, to memory
	return b.String()
}
