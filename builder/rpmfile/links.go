package rpmfile

import (
	"fmt"
	"io"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// linked takes one name of a file with several.
func (x *extraction) linked(name string, hdr *cpio.Header, r io.Reader) error {
	set := x.links[hdr.Inode]
	if set == nil {
		set = &linkSet{hdr: hdr}
		x.links[hdr.Inode] = set
		x.sets = append(x.sets, set)
	}
	if hdr.Size == 0 {
		set.names = append(set.names, name)
		return nil
	}
	if set.data != "" {
		return fmt.Errorf("%w: a second content for one set of hard links", ErrHostile)
	}
	set.data = name
	return x.file(name, hdr, r)
}

// finishLinks makes the other names of files with several.
func (x *extraction) finishLinks() error {
	for _, set := range x.sets {
		if set.data == "" { // all of them empty
			if err := x.file(set.names[0], set.hdr, strings.NewReader("")); err != nil {
				return err
			}
			set.data, set.names = set.names[0], set.names[1:]
		}
		for _, name := range set.names {
			if err := x.root.Link(set.data, name); err != nil {
				return fmt.Errorf("%q: %w", name, conflict(err))
			}
			x.add(name)
		}
	}
	return nil
}
