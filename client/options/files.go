package options

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds a configuration file; real ones have a few hundred bytes.
const maxFile = 1 << 20

// Evaluator runs configuration files that are shell. Evaluate gets the text of one
// file, whose name it uses for messages and for what the file includes, sets in p
// what it assigns, and sees in p what earlier files have set.
type Evaluator interface {
	Evaluate(ctx context.Context, name, text string, p *Parameters) error
}

// Load reads the files of a command, or of the default places below etc (normally
// /etc/cvmfs), completely: they may be deleted when it returns. A nil eval reads
// every file as [ParseSimple] does. Absent files are skipped; any other failure
// is an error that wraps [ErrUsage].
func Load(ctx context.Context, c *Command, etc string, eval Evaluator) (*Parameters, error) {
	p := &Parameters{}
	if c.Simple {
		eval = nil
	}
	names := c.Config
	if names == nil {
		p.Set("CVMFS_FQRN", c.Repository, "the command line")
		return p, loadDefaults(ctx, p, c.Repository, etc, eval)
	}
	for _, name := range names {
		if err := loadFile(ctx, p, name, eval); err != nil {
			return nil, err
		}
	}
	p.Expand(c.Repository)
	return p, nil
}

func loadFile(ctx context.Context, p *Parameters, name string, eval Evaluator) error {
	text, err := readFile(name)
	switch {
	case name == "" || errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usagef("read configuration file %q: %w", name, err)
	case eval == nil:
		return ParseSimple(p, name, text)
	}
	if err := eval.Evaluate(ctx, name, text, p); err != nil {
		return usagef("evaluate configuration: %w", err)
	}
	return nil
}

func readFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("more than %d bytes", maxFile)
	}
	return string(data), err
}

// loadDefaults reads the files of a plain installation in upstream's order
// (cvmfs/options.cc, ParseDefault). CVMFS_CONFIG_REPOSITORY keeps the value it has
// after default.d: nothing that comes out of a repository may redirect to another.
func loadDefaults(ctx context.Context, p *Parameters, fqrn, etc string, eval Evaluator) error {
	const crKey = "CVMFS_CONFIG_REPOSITORY"
	_, domain, _ := strings.Cut(fqrn, ".")
	dropIns, err := filepath.Glob(filepath.Join(etc, "default.d", "*.conf"))
	if err != nil {
		return usagef("%w", err)
	}
	slices.Sort(dropIns)
	for _, name := range append([]string{filepath.Join(etc, "default.conf")}, dropIns...) {
		if err := loadFile(ctx, p, name, eval); err != nil {
			return err
		}
	}
	p.Expand(fqrn)
	repo, _ := p.Get(crKey)
	origin := p.Origin(crKey)
	in := func(name string) string { return filepath.Join(etc, name) }
	cr := func(string) string { return "" }
	if repo != "" && repo != fqrn {
		mountDir, ok := p.Get("CVMFS_MOUNT_DIR")
		if !ok {
			mountDir = "/cvmfs"
		}
		root := filepath.Join(mountDir, repo, "etc", "cvmfs")
		if _, err := os.Stat(root); err != nil {
			if required, _ := p.Get("CVMFS_CONFIG_REPO_REQUIRED"); IsOn(required) {
				return fmt.Errorf("required configuration repository directory does not exist: %s", root)
			}
		} else {
			cr = func(name string) string { return filepath.Join(root, name) }
		}
	}
	for _, name := range []string{
		cr("default.conf"), in("default.local"),
		cr("domain.d/" + domain + ".conf"), in("domain.d/" + domain + ".conf"), in("domain.d/" + domain + ".local"),
		cr("config.d/" + fqrn + ".conf"), in("config.d/" + fqrn + ".conf"), in("config.d/" + fqrn + ".local"),
	} {
		if err := loadFile(ctx, p, name, eval); err != nil {
			return err
		}
		p.Expand(fqrn)
		if repo != "" {
			p.Set(crKey, repo, origin)
		}
	}
	return nil
}
