package mount

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/client/options"
	"github.com/cvmfsbundle/cvmfsbundle/internal/shellconf"
)

// loadParameters evaluates the configuration files of a command.
func loadParameters(ctx context.Context, cmd *options.Command) (*options.Parameters, error) {
	ctx, cancel := context.WithTimeout(ctx, configTime)
	defer cancel()
	if cmd.Simple {
		return options.Load(ctx, cmd, configDir, nil)
	}
	return options.Load(ctx, cmd, configDir, &shell{env: environment()})
}

// shell evaluates configuration files that are shell; nothing is executed.
type shell struct {
	env map[string]string
}

// Evaluate implements [options.Evaluator]. The variables live on from file to
// file. What a file includes must lie below its own directory's parent (../ is how
// the files of one installation name each other), the configuration directory or
// the mount directory.
func (s *shell) Evaluate(ctx context.Context, name, text string, p *options.Parameters) error {
	path, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	roots := []shellconf.Root{{Path: configDir, Dir: configDir}}
	for _, dir := range []string{filepath.Dir(filepath.Dir(path)), mountDir(p)} {
		if filepath.IsAbs(dir) && dir != "/" && dir != configDir {
			roots = append(roots, shellconf.Root{Path: dir, Dir: dir})
		}
	}
	for _, k := range p.Keys() {
		s.env[k], _ = p.Get(k)
	}
	e, err := shellconf.New(ctx, shellconf.Options{Roots: roots, Env: s.env})
	if err != nil {
		return err
	}
	defer e.Close()
	if _, err := e.Source(shellconf.File{Path: path, Data: []byte(text)}); err != nil {
		return err
	}
	for _, v := range e.Result().Vars {
		p.Set(v.Name, v.Value, v.File)
	}
	return nil
}

func mountDir(p *options.Parameters) string {
	if dir, ok := p.Get("CVMFS_MOUNT_DIR"); ok {
		return dir
	}
	return "/cvmfs"
}

// environment returns the variables of the process that configuration may use,
// without those that are too long to be meant for it.
func environment() map[string]string {
	env := map[string]string{}
	total := 0
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		if !isName(k) || len(v) > 4096 || total > 64<<10 {
			continue
		}
		total += len(kv)
		env[k] = v
	}
	return env
}

func isName(s string) bool {
	for i, c := range []byte(s) {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// variables returns the variables of link targets: the parameters, then the
// process's environment, then the machine type.
func variables(p *options.Parameters) func(string) (string, bool) {
	arch := machine()
	return func(name string) (string, bool) {
		if v, ok := p.Get(name); ok {
			return v, true
		}
		if v, ok := os.LookupEnv(name); ok {
			return v, true
		}
		return arch, name == "CVMFS_ARCH"
	}
}
