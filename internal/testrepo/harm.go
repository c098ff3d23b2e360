package testrepo

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// A Harm is done to a file that has been published: nothing is signed or hashed
// anew.
type Harm func(path string) error

// Flip inverts one bit in the middle of the file.
func Flip(path string) error {
	return edit(path, func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b })
}

// Truncate removes the second half of the file.
func Truncate(path string) error {
	return edit(path, func(b []byte) []byte { return b[:len(b)/2] })
}

// Empty removes all of the file's content.
func Empty(path string) error { return edit(path, func(b []byte) []byte { return b[:0] }) }

// Missing removes the file.
func Missing(path string) error { return os.Remove(path) }

func edit(path string, f func([]byte) []byte) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return replaceFile(path, f(slices.Clone(data)))
}

// HarmFile harms a file of the tree: ".cvmfspublished", "data/ab/...".
func HarmFile(name string, h Harm) Break {
	return afterwards(func(o *Published) error { return h(filepath.Join(o.Dir, name)) })
}

// HarmObject harms the object of the file at path, its last chunk if it is chunked.
// Files of the same content share their objects.
func HarmObject(path string, h Harm) Break {
	return afterwards(func(o *Published) error {
		objs := o.Objects(path)
		if objs == nil {
			return errors.New("no objects to harm: " + path)
		}
		return h(filepath.Join(o.Dir, objs[len(objs)-1].Path()))
	})
}

// HarmCatalog harms the catalog mounted at mount.
func HarmCatalog(mount string, h Harm) Break {
	return afterwards(func(o *Published) error {
		return h(filepath.Join(o.Dir, o.Catalogs[absolute(mount)].Path()))
	})
}

// HarmCertificate harms the certificate.
func HarmCertificate(h Harm) Break {
	return afterwards(func(o *Published) error { return h(filepath.Join(o.Dir, o.Certificate.Path())) })
}

func afterwards(f func(*Published) error) Break {
	return func(p *publication) { p.after = append(p.after, f) }
}
