package mount

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/client/cache"
	"github.com/cvmfsbundle/cvmfsbundle/client/catalog"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/client/options"
	"github.com/cvmfsbundle/cvmfsbundle/client/stratum"
	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{fmt.Errorf("x: %w", trust.ErrWhitelistExpired), "failed to verify repository: x: expired whitelist (15 - signature verification failure)"},
		{fmt.Errorf("%w: no such file", trust.ErrKeys), "failed to load public key(s): no such file (15 - signature verification failure)"},
		{trust.ErrRevisionBlacklisted, "repository revision blacklisted (25 - revision blacklisted)"},
		{stratum.ErrNoProxy, "failed to discover HTTP proxy servers (23 - proxy auto-discovery failed)"},
		{fmt.Errorf("%w: x", cache.ErrUnusable), "cannot create workspace directory: cache directory problem: x (9 - cache directory/plugin problem)"},
		{context.Canceled, "interrupted by a signal before the mount (1 - unknown error)"},
		{errors.New("odd"), "odd (1 - unknown error)"},
		{rootFailure(&stratum.Error{Code: stratum.HostConnect, URL: "u"}), `Failed to initialize root file catalog: unreachable: fetch "u": host connection problem (16 - file catalog failure)`},
		{rootFailure(&stratum.Error{Code: stratum.HostHTTP, Status: 404, Answered: true, URL: "u"}), `Failed to initialize root file catalog: failed: fetch "u": host returned HTTP error (status 404) (16 - file catalog failure)`},
		{rootFailure(&catalog.LoadError{Err: catalog.ErrDamaged}), "Failed to initialize root file catalog: damaged: load catalog " + object.Hash{}.String() + ` at "": damaged database (16 - file catalog failure)`},
		{rootFailure(trust.ErrName), "failed to verify repository: repository name mismatch (15 - signature verification failure)"},
		{failf(exit.Cvmfs2OK, "already"), "already"},
	}
	for _, tt := range tests {
		if got := classify(tt.err).Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	_, err := options.ParseArgs(nil)
	if f := classify(err); f.code != exit.Cvmfs2Options {
		t.Errorf("usage: %v", f)
	}
}

func TestShellConfiguration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc", "cvmfs")
	write := func(name, text string) string {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	write("common.conf", "CVMFS_COMMON=yes\n")
	a := write("a.conf", "CVMFS_X=1\n. ./common.conf\n")
	b := write("b.d/b.conf", "CVMFS_Y=${CVMFS_X}2\n. ../common.conf\nif [ \"$CVMFS_COMMON\" = yes ]; then CVMFS_Z=http://@fqrn@/$FROM_ENV; fi\n")
	t.Setenv("FROM_ENV", "env")
	cmd := &options.Command{Repository: "small.example.org", Config: []string{a, b}}
	p, err := loadParameters(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"CVMFS_X": "1", "CVMFS_Y": "12", "CVMFS_COMMON": "yes", "CVMFS_Z": "http://small.example.org/env"} {
		if got, _ := p.Get(k); got != want {
			t.Errorf("%s = %q, want %q", k, got, want)
		}
	}
	if _, ok := p.Get("FROM_ENV"); ok {
		t.Error("a variable of the environment became a parameter")
	}
	for _, bad := range []string{"CVMFS_A=$(id)\n", "id\n", ". /etc/passwd\n", "while true; do :; done\n"} {
		cmd.Config = []string{write("bad.conf", bad)}
		if _, err := loadParameters(t.Context(), cmd); !errors.Is(err, options.ErrUsage) || !strings.Contains(err.Error(), "bad.conf") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestVariables(t *testing.T) {
	p := &options.Parameters{}
	p.Set("CVMFS_P", "param", "f")
	p.Set("BOTH", "param", "f")
	t.Setenv("BOTH", "env")
	t.Setenv("ONLY_ENV", "env")
	env := variables(p)
	for name, want := range map[string]string{"CVMFS_P": "param", "BOTH": "param", "ONLY_ENV": "env", "CVMFS_ARCH": machine()} {
		if got, ok := env(name); got != want || !ok {
			t.Errorf("%s = %q, %v; want %q", name, got, ok, want)
		}
	}
	if _, ok := env("CVMFS_UNSET_HERE"); ok {
		t.Error("an unset variable is set")
	}
}

func TestLockWorkspace(t *testing.T) {
	t.Chdir(t.TempDir())
	unlock, err := lockWorkspace("lock.r")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("lock.r")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		t.Error("the lock is not held")
	}
	unlock()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Errorf("the lock is still held: %v", err)
	}
	if err := os.Symlink("/dev/null", "link"); err != nil {
		t.Fatal(err)
	}
	if _, err := lockWorkspace("link"); err == nil {
		t.Error("a symbolic link was taken")
	}
}

func TestRaiseFiles(t *testing.T) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		t.Fatal(err)
	}
	if got, err := raiseFiles(10); err != nil || got != r.Cur {
		t.Errorf("asking for less gives %d, %v; want %d", got, err, r.Cur)
	}
}

func TestRunUsage(t *testing.T) {
	var out, errs bytes.Buffer
	if code := Run(t.Context(), []string{"cvmfs2", "repo"}, &out, &errs); code != exit.Cvmfs2Options {
		t.Errorf("code %d", code)
	}
	if text := errs.String(); !strings.HasPrefix(text, "a repository and a mount point are needed (2 - illegal options)\n\nCernVM-FS:") || out.Len() != 0 {
		t.Errorf("stderr %q, stdout %q", text, &out)
	}
}
