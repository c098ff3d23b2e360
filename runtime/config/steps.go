package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/shellconf"
)

// distDefaults are steps 1 and 2.
func (b *builder) distDefaults() error {
	found, err := b.eval.Source(shellconf.File{Path: etc + "/default.conf"})
	if err != nil {
		return err
	}
	if !found {
		return exit.Errorf(exit.Config, "%q is missing", filepath.Join(b.opts.Dist, etc, "default.conf"))
	}
	names, err := b.eval.Names(etc+"/default.d", ".conf")
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := b.source(etc + "/default.d/" + n); err != nil {
			return err
		}
	}
	if b.opts.ConfigRepo == "" {
		b.eval.Pin(configRepoKey, false)
	}
	return nil
}

// configRepo returns what the evaluated files name.
func (b *builder) configRepo() (string, error) {
	v, ok := b.eval.Lookup(configRepoKey)
	if !ok || v.Value == "" {
		return "", nil
	}
	if !ValidFQRN(v.Value) {
		return "", exit.Errorf(exit.Config, "%s: %s: %q is not a repository name", v.File, configRepoKey, v.Value)
	}
	return v.Value, nil
}

// sharedDefaults is step 3.
func (b *builder) sharedDefaults() error {
	name, err := b.configRepo()
	if err != nil || name == "" || name == b.fqrn {
		return err
	}
	cr := path.Join(mountDir, name)
	mounted := false
	if b.opts.ConfigRepoDir != "" {
		if mounted, err = b.eval.IsDir(cr + etc); err != nil {
			return err
		}
	}
	if !mounted {
		if required, _ := b.eval.Get("CVMFS_CONFIG_REPO_REQUIRED"); isOn(required) {
			return exit.Errorf(exit.Config, "required configuration repository directory does not exist: %s", cr+etc)
		}
		return nil
	}
	b.cr = cr
	return b.source(cr + etc + "/default.conf")
}

// isOn reads a switch as upstream does (cvmfs/options.cc, IsOn).
func isOn(s string) bool {
	switch strings.ToUpper(s) {
	case "YES", "ON", "1", "TRUE":
		return true
	}
	return false
}

// locals is step 4.
func (b *builder) locals() error {
	b.local = b.eval.Calls() + 1
	if err := b.source(etc + "/default.local"); err != nil {
		return err
	}
	if b.opts.Local == "" {
		return nil
	}
	data, err := readLocal(b.opts.Local)
	if err != nil {
		return exit.Errorf(exit.Config, "CVMFSEXEC_LOCAL: %w", err)
	}
	if _, err := b.eval.Source(shellconf.File{Path: b.opts.Local, Data: data}); err != nil {
		return err
	}
	for _, v := range b.eval.Result().Vars {
		if v.Call == b.eval.Calls() {
			b.eval.Pin(v.Name, true)
		}
	}
	return nil
}

// ours is step 5, and step 8, which no file reads.
func (b *builder) ours() error {
	defaults := map[string]string{}
	if b.opts.NoFile > 0 {
		defaults["CVMFS_NFILES"] = strconv.FormatUint(b.opts.NoFile, 10)
	}
	if b.opts.LogDir != "" {
		defaults["CVMFS_USYSLOG"] = filepath.Join(b.opts.LogDir, b.fqrn+".log")
	}
	if b.opts.CacheBase != "" {
		defaults["CVMFS_CACHE_BASE"] = b.opts.CacheBase
	}
	for _, key := range []string{"CVMFS_NFILES", "CVMFS_USYSLOG", "CVMFS_CACHE_BASE"} {
		value, ok := defaults[key]
		if !ok || b.isLocal(key) {
			continue
		}
		if err := b.eval.Set(key, value, "cvmfsexec"); err != nil {
			return err
		}
	}
	if err := b.helpers(); err != nil {
		return err
	}
	return b.fix("CVMFS_AUTHZ_CVMFS_DIST", b.opts.Dist, "", true)
}

// helpers lets the authorization helpers of the dist tree be found and find their
// libraries there: the client gives a helper every CVMFS_AUTHZ_X as X, and nothing else
// (cvmfs/authz/authz_fetch.cc).
func (b *builder) helpers() error {
	const dir = "usr/libexec/cvmfs/authz"
	if st, err := os.Stat(filepath.Join(b.opts.Dist, dir)); err != nil || !st.IsDir() {
		return nil
	}
	for key, value := range map[string]string{
		"CVMFS_AUTHZ_SEARCH_PATH":     filepath.Join(b.opts.Dist, dir),
		"CVMFS_AUTHZ_LD_LIBRARY_PATH": filepath.Join(b.opts.Dist, "usr/lib64") + ":" + filepath.Join(b.opts.Dist, "usr/lib"),
	} {
		if b.isLocal(key) {
			continue
		}
		if err := b.eval.Set(key, value, "cvmfsexec"); err != nil {
			return err
		}
	}
	return nil
}

// isLocal reports whether default.local, CVMFSEXEC_LOCAL or --set gave a variable.
func (b *builder) isLocal(key string) bool {
	v, ok := b.eval.Lookup(key)
	return ok && (v.File == setOrigin || v.Call >= b.local)
}

// domain is step 6.
func (b *builder) domain() error {
	_, domain, _ := strings.Cut(b.fqrn, ".")
	return b.confLocal("/domain.d/" + domain)
}

// repo is step 7.
func (b *builder) repo() error { return b.confLocal("/config.d/" + b.fqrn) }

// confLocal evaluates the configuration repository's NAME.conf, then the dist's
// NAME.conf and NAME.local.
func (b *builder) confLocal(name string) error {
	files := []string{etc + name + ".conf", etc + name + ".local"}
	if b.cr != "" {
		files = append([]string{b.cr + etc + name + ".conf"}, files...)
	}
	for _, f := range files {
		if err := b.source(f); err != nil {
			return err
		}
	}
	return nil
}

// maxLocal bounds the file of CVMFSEXEC_LOCAL; internal/shellconf has the same limit.
const maxLocal = 64 << 10

// readLocal reads a file that the user has named, wherever it is.
func readLocal(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%q: %w", name, errors.New("not a regular file"))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxLocal+1))
	if err == nil && len(data) > maxLocal {
		err = fmt.Errorf("%q is larger than %d bytes", name, maxLocal)
	}
	return data, err
}
