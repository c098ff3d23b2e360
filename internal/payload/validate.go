package payload

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"
)

// Limits of a bundle. They are far above every CVMFS client and keep a hostile
// manifest from claiming the whole disk.
const (
	maxContent = 8 << 30 // bytes of tar stream
	maxPath    = 4000    // bytes of a path or link target
)

// validate checks m against the trailer of its file.
func (m *Manifest) validate(t Trailer) error {
	if err := m.Meta.validate(); err != nil {
		return corrupt("manifest: %w", err)
	}
	if m.Kind != t.Kind {
		return corrupt("manifest: kind %q, the trailer says %q", m.Kind, t.Kind)
	}
	if m.Stub.Length != t.PayloadOffset {
		return corrupt("manifest: a stub of %d bytes, the payload begins at %d", m.Stub.Length, t.PayloadOffset)
	}
	raw, err := checkFrames(m.Frames, t)
	if err != nil {
		return corrupt("manifest: %w", err)
	}
	if len(m.Files) == 0 {
		return corrupt("manifest: an empty file table")
	}
	content, err := checkFiles(m.Files)
	if err != nil {
		return corrupt("manifest: %w", err)
	}
	if content > raw {
		return corrupt("manifest: files of %d bytes in a tar stream of %d", content, raw)
	}
	return nil
}

func (m Meta) validate() error {
	if m.Kind != Cvmfsexec && m.Kind != Singcvmfs {
		return fmt.Errorf("kind %q is neither %q nor %q", m.Kind, Cvmfsexec, Singcvmfs)
	}
	if m.Client != RPM && m.Client != Builtin {
		return fmt.Errorf("client %q is neither %q nor %q", m.Client, RPM, Builtin)
	}
	return nil
}

// checkFrames holds the frame table against the payload's place and returns the
// length of the tar stream.
func checkFrames(frames []Frame, t Trailer) (raw int64, err error) {
	at := t.PayloadOffset
	for i, f := range frames {
		switch {
		case f.Offset != at:
			return 0, fmt.Errorf("frame %d begins at %d instead of %d", i, f.Offset, at)
		case f.Length <= 0 || f.Length > t.payloadEnd()-at:
			return 0, fmt.Errorf("frame %d has %d bytes, the payload %d more", i, f.Length, t.payloadEnd()-at)
		case f.Raw <= 0 || f.Raw > maxContent-raw:
			return 0, fmt.Errorf("frame %d holds %d bytes, the limit for all is %d", i, f.Raw, int64(maxContent))
		}
		at += f.Length
		raw += f.Raw
	}
	if at != t.payloadEnd() {
		return 0, fmt.Errorf("the frames end at %d, the payload at %d", at, t.payloadEnd())
	}
	return raw, nil
}

// checkFiles checks each file by itself and that it has a directory to lie in,
// and returns the sum of the sizes.
func checkFiles(files []File) (content int64, err error) {
	types := make(map[string]Type, len(files))
	types["."] = Dir
	for i, f := range files {
		if err := f.validate(); err != nil {
			return 0, fmt.Errorf("file %d: %w", i, err)
		}
		if types[f.Path] != "" {
			return 0, fmt.Errorf("file %d: %q is there twice", i, f.Path)
		}
		if parent := path.Dir(f.Path); types[parent] != Dir {
			return 0, fmt.Errorf("file %d: no directory before %q", i, f.Path)
		}
		types[f.Path] = f.Type
		if content += f.Size; f.Size > maxContent || content > maxContent {
			return 0, fmt.Errorf("file %d: more than %d bytes of content", i, int64(maxContent))
		}
	}
	return content, nil
}

func (f File) validate() error {
	if !fs.ValidPath(f.Path) || f.Path == "." || len(f.Path) > maxPath || strings.ContainsRune(f.Path, 0) {
		return fmt.Errorf("path %.100q", f.Path)
	}
	if f.Type == Symlink {
		if f.Mode != 0 || f.Size != 0 || f.SHA256 != nil {
			return fmt.Errorf("link %.100q with mode, size or digest", f.Path)
		}
		return CheckTarget(f.Path, f.Target)
	}
	perm := fs.FileMode(f.Mode)
	switch {
	case f.Target != "":
		return fmt.Errorf("%.100q is no link but has a target", f.Path)
	case f.Type == Dir && (f.Mode != ModeOf(fs.ModeDir|perm) || f.Size != 0 || f.SHA256 != nil):
		return fmt.Errorf("directory %.100q with mode %04o, size %d", f.Path, f.Mode, f.Size)
	case f.Type == Regular && (f.Mode != ModeOf(perm) || f.Size < 0 || f.SHA256 == nil):
		return fmt.Errorf("file %.100q with mode %04o, size %d", f.Path, f.Mode, f.Size)
	case f.Type != Dir && f.Type != Regular:
		return fmt.Errorf("%.100q is of type %.20q", f.Path, f.Type)
	}
	return nil
}

// CheckTarget says why the symbolic link name with the given target may not be
// in a bundle; nil means it may. A target is relative, stays inside the tree, and
// has ".." only at its beginning: the directories above a link are real ones, so
// such a target cannot climb out through another link.
func CheckTarget(name, target string) error {
	if target == "" || len(target) > maxPath || strings.ContainsRune(target, 0) || !utf8.ValidString(target) {
		return fmt.Errorf("link %.100q to %.100q", name, target)
	}
	if path.IsAbs(target) {
		return fmt.Errorf("link %.100q has the absolute target %.100q", name, target)
	}
	depth, down := strings.Count(name, "/"), false
	for elem := range strings.SplitSeq(target, "/") {
		switch {
		case elem == "" || elem == ".":
		case elem != "..":
			down = true
		case down:
			return fmt.Errorf("link %.100q: \"..\" after a name in its target %.100q", name, target)
		default:
			if depth--; depth < 0 {
				return fmt.Errorf("link %.100q leads out of the tree: %.100q", name, target)
			}
		}
	}
	return nil
}
