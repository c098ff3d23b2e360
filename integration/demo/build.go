package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
)

// demoSite is the address in profiles.toml that -mirror replaces by our own.
const demoSite = "https://demo.invalid"

// build builds the bundle, as whoever runs the demo.
func (d *demo) build(builder string) func(context.Context) error {
	return func(ctx context.Context) error {
		out := filepath.Join(d.dir, "cvmfsexec")
		args := []string{"build", "-q", "-profile", "demo", "-mirror", demoSite + "=" + d.server.URL, "-o", out}
		path, err := filepath.Abs(builder)
		if err != nil {
			return err
		}
		r, err := d.child(ctx, path, args, func(cmd *exec.Cmd) {
			cmd.Env = append(os.Environ(), d.marker.Env(), "no_proxy=127.0.0.1")
		})
		if err == nil && r.code != 0 {
			err = &childError{r.stderr, exit.Errorf(exit.Code(r.code), "the builder ended with status %d", r.code)}
		}
		if err != nil {
			return err
		}
		d.say("build", "$ cvmfsbundle build -profile demo -mirror %s=%s -o cvmfsexec", demoSite, d.server.URL)
		return d.inspect(out, r.took)
	}
}

// inspect tells what has been built.
func (d *demo) inspect(path, took string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := payload.Open(f, st.Size())
	if err != nil {
		return err
	}
	m := b.Manifest
	d.more("one file, %s, %d entries, client %s, ID %.12s... (%s)", megabytes(st.Size()), len(m.Files), m.Client, b.ID(), took)
	return nil
}

// handOver copies the bundle to another directory, the ordinary user's, and with it
// this program, which lists /cvmfs there.
func (d *demo) handOver(context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bundle := filepath.Join(d.user, "cvmfsexec")
	if err := copyFile(filepath.Join(d.dir, "cvmfsexec"), bundle); err != nil {
		return err
	}
	if err := copyFile(self, filepath.Join(d.user, "demo")); err != nil {
		return err
	}
	d.say("copy", "to %q; from here on everything is done by the ordinary user, uid %d", d.user, d.uid)
	return nil
}

// copyFile makes an executable copy.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			err = fmt.Errorf("copy %q: %w", from, err)
		}
	}()
	if _, err = io.Copy(out, in); err != nil {
		return err
	}
	return out.Chmod(0o755)
}
