package dist

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/cvmfsbundle/cvmfsbundle/builder/pack"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/profiles"
)

// defaultConf is the project's own etc/cvmfs/default.conf.
//
//go:embed default.conf
var defaultConf []byte

// writeOwn writes the files that come from no package.
func writeOwn(root *os.Root, local string, o Options) error {
	m := o.Machine
	description := pack.Description{Kind: payload.Cvmfsexec, Machine: m.Name, Client: payload.Client(o.Client)}
	files := []struct {
		path string
		mode fs.FileMode
		data string
	}{
		{"etc/os-release", 0o644, fmt.Sprintf("ID_LIKE=%q\nVERSION_ID=%q\n", m.Distro, m.Version)},
		{"etc/cvmfs/default.local", 0o644, local},
		{pack.DescriptionFile, 0o644, description.String()},
	}
	for _, f := range files {
		if err := put(root, f.path, []byte(f.data), f.mode); err != nil {
			return err
		}
	}
	if o.Client == profiles.Builtin {
		if err := put(root, "usr/bin/cvmfs2", o.Program, 0o755); err != nil {
			return err
		}
		return put(root, "etc/cvmfs/default.conf", defaultConf, 0o644)
	}
	return nil
}

// put writes a file in place of whatever has its name.
func put(root *os.Root, name string, data []byte, mode fs.FileMode) error {
	if err := mkdirs(root, path.Dir(name)); err != nil {
		return err
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// mkdirs makes a directory and those above it, with the same mode whatever the umask
// is.
func mkdirs(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if err := mkdirs(root, path.Dir(dir)); err != nil {
		return err
	}
	err := root.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return errors.Join(err, root.Chmod(dir, 0o755))
}
