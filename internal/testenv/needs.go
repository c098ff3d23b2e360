package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// A Need is something a machine must have for a test. Each is tried, not guessed.
type Need struct {
	name  string
	probe func() error
}

// Needs of tests.
var (
	// RootUser: the test itself is root.
	RootUser = Need{"root", func() error {
		if !IsRoot() {
			return fmt.Errorf("uid is %d", os.Getuid())
		}
		return nil
	}}
	// DevFuse: the ordinary user may open /dev/fuse. As root the device is opened
	// to everybody first, as every distribution has it.
	DevFuse = Need{"/dev/fuse", sync.OnceValue(func() error {
		if IsRoot() {
			if err := os.Chmod("/dev/fuse", 0o666); err != nil {
				return err
			}
		}
		f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return f.Close()
	})}
	// UserNS: the ordinary user may make a user and a mount namespace.
	UserNS = Need{"unprivileged user namespaces", sync.OnceValue(func() error {
		return As(exec.Command("unshare", "-Urm", "true")).Run()
	})}
)

// Tool is the need of a program in PATH; pkg is the Debian package that has it.
func Tool(name, pkg string) Need {
	return Need{fmt.Sprintf("%s (Debian package %s)", name, pkg), func() error {
		_, err := exec.LookPath(name)
		return err
	}}
}

// Needs skips the test, naming what is missing, unless the machine has all of ns.
func Needs(t testing.TB, ns ...Need) {
	t.Helper()
	for _, n := range ns {
		if err := n.probe(); err != nil {
			Skip(t, fmt.Sprintf("needs %s: %v", n.name, err))
		}
	}
}
