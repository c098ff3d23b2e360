package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

const mountPoint = "/cvmfs/" + fqrn

var errMismatch = errors.New("what the bundle shows is not what was published")

func mismatch(format string, args ...any) error {
	return exit.Errorf(exit.Unclassified, "%w: %s", errMismatch, fmt.Sprintf(format, args...))
}

// firstStart unpacks the bundle and lists the repository's root.
func (d *demo) firstStart(ctx context.Context) error {
	args := []string{fqrn, "--", "ls", mountPoint}
	r, err := d.bundle(ctx, 0, args...)
	if err != nil {
		return err
	}
	want := []string{"README", "bin", "chosen", "data", "latest", "many", "releases"}
	got := strings.Fields(r.stdout)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return mismatch("ls shows %q, not %q", got, want)
	}
	d.say("first start", "$ %s", typed(args))
	d.more("%s (%s with unpacking)", strings.Join(got, "  "), r.took)
	return nil
}

// readFile reads a file, in a warm start.
func (d *demo) readFile(ctx context.Context) error {
	args := []string{fqrn, "--", "cat", mountPoint + "/README"}
	r, err := d.bundle(ctx, 0, args...)
	if err != nil {
		return err
	}
	if r.stdout != readme {
		return mismatch("README holds %q", r.stdout)
	}
	d.say("start again", "$ %s", typed(args))
	d.more("%s (%s)", strings.TrimSpace(r.stdout), r.took)
	return nil
}

// tampered reads a file that a server in the middle has changed.
func (d *demo) tampered(ctx context.Context) error {
	name := "/" + d.repo.Objects(tamperFile)[0].Path()
	d.server.Inject(name, 0, testrepo.FlipByte(5))
	defer d.server.Heal()
	args := []string{fqrn, "--", "cat", mountPoint + "/" + tamperFile}
	r, err := d.bundle(ctx, 1, args...)
	if err != nil {
		return err
	}
	if r.stdout != "" || d.server.Requests(name) == 0 {
		return mismatch("a changed object was delivered: %q", r.stdout)
	}
	d.say("tamper", "a server changes one byte of %s on its way: reading it fails, with EIO (%s)", tamperFile, r.took)
	return nil
}

// wholeTree compares every path with what was published.
func (d *demo) wholeTree(ctx context.Context) error {
	uid, gid := uint32(d.uid), uint32(d.gid)
	want, err := d.repo.Expected(testrepo.View{Owner: func(_, _ uint32) (uint32, uint32) { return uid, gid }})
	if err != nil {
		return err
	}
	args := []string{fqrn, "--", "./demo", "-list", mountPoint}
	r, err := d.bundle(ctx, 0, args...)
	if err != nil {
		return err
	}
	got := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return mismatch("line %d of the listing is %q, not %q", i+1, at(got, i), at(want, i))
		}
	}
	d.say("compare", "$ %s", typed(args))
	d.more("all %d paths: type, mode, owner, size, time, links, content, attributes are as published (%s)", len(got), r.took)
	return nil
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// exitCode has the command's exit status come out.
func (d *demo) exitCode(ctx context.Context) error {
	args := []string{fqrn, "--", "sh", "-c", "exit 7"}
	r, err := d.bundle(ctx, 7, args...)
	if err != nil {
		return err
	}
	d.say("exit code", "$ %s; echo $?", typed(args))
	d.more("7 (%s)", r.took)
	return nil
}
