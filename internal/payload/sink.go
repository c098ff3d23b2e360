package payload

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// rootSink writes a tree below a directory and never outside it. Directories get
// their mode at the end, files at once, so the process's umask changes neither.
type rootSink struct{ root *os.Root }

func (s rootSink) dir(f *File) error { return writeError(f, s.root.Mkdir(f.Path, 0o700)) }

func (s rootSink) symlink(f *File) error { return writeError(f, s.root.Symlink(f.Target, f.Path)) }

func (s rootSink) create(f *File) (io.WriteCloser, error) {
	out, err := s.root.OpenFile(f.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, writeError(f, err)
	}
	if err := out.Chmod(fs.FileMode(f.Mode)); err != nil {
		out.Close()
		return nil, writeError(f, err)
	}
	return out, nil
}

func (s rootSink) finish(files []File) error {
	for i := range files {
		if f := &files[i]; f.Type == Dir {
			if err := s.root.Chmod(f.Path, fs.FileMode(f.Mode)); err != nil {
				return writeError(f, err)
			}
		}
	}
	return nil
}

func writeError(f *File, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("unpack %s %q: %w", f.Type, f.Path, err)
}

// discardSink keeps nothing.
type discardSink struct{}

func (discardSink) dir(*File) error                      { return nil }
func (discardSink) symlink(*File) error                  { return nil }
func (discardSink) create(*File) (io.WriteCloser, error) { return discard{}, nil }
func (discardSink) finish([]File) error                  { return nil }

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }
