package integration

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/listtree"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// TestClientTreesInUserNamespace mounts the repositories that the CernVM-FS tools
// published and compares every path with what the reference client showed. Owners
// are the namespace's business there and left out.
func TestClientTreesInUserNamespace(t *testing.T) {
	for _, fqrn := range testrepo.Fixtures() {
		for _, claim := range []string{"yes", "no"} {
			t.Run(fqrn+"/claim="+claim, func(t *testing.T) {
				ns := newClientNS(t)
				url, key, expected := serveFixture(t, fqrn)
				c := newClientConf(t, ns.dir, fqrn, url, key)
				want := lines(t, expected)
				if claim == "no" {
					want = deny(want, true)
				}
				want = listtree.Without(want, listtree.UID, listtree.GID)
				bin := testenv.Binary(t, "cvmfs2")
				ns.must(bin, c.args("CVMFS_CLAIM_OWNERSHIP="+claim)...)
				for range 2 { // the second time from the kernel's caches
					got := strings.Split(strings.TrimSuffix(ns.must(helper(t, "internal/listtree/listtree"), c.mountPoint()), "\n"), "\n")
					compareLines(t, listtree.Without(got, listtree.UID, listtree.GID), want)
				}
				ns.must("umount", c.mountPoint())
			})
		}
	}
}

// deny puts EACCES in place of what a reader may not read who is neither owner nor
// group of anything but, if it is root of a namespace, of what belongs to 0:0.
func deny(lines []string, nsRoot bool) []string {
	var out []string
	for _, l := range lines {
		f := strings.Split(l, "\t")
		mode, err := strconv.ParseInt(f[listtree.Mode], 8, 32)
		closed := err == nil && mode&4 == 0 && !(nsRoot && f[listtree.UID] == "0" && f[listtree.GID] == "0")
		switch {
		case closed && f[listtree.Type] == "f":
			f[listtree.Digest] = "EACCES"
		case closed && f[listtree.Type] == "d":
			out = append(out, f[listtree.Path]+"\tlisting:EACCES")
		}
		out = append(out, strings.Join(f, "\t"))
	}
	return out
}

// TestClientTreesAsRoot does the same in the initial namespace, where owners show,
// once as root, who reads everything, and once as an ordinary user, who is let in by
// allow_other and denied by the modes.
func TestClientTreesAsRoot(t *testing.T) {
	testenv.Needs(t, testenv.RootUser, testenv.DevFuse)
	for _, fqrn := range testrepo.Fixtures() {
		t.Run(fqrn, func(t *testing.T) {
			url, key, expected := serveFixture(t, fqrn)
			dir := testenv.Dir(t)
			c := newClientConf(t, dir, fqrn, url, key)
			args := append([]string{"-o", "allow_other"}, c.args("CVMFS_CLAIM_OWNERSHIP=no")...)
			if r := finish(exec.Command(testenv.Binary(t, "cvmfs2"), args...)); r.code != 0 {
				t.Fatalf("%+v", r)
			}
			defer exec.Command("umount", "-l", c.mountPoint()).Run()
			tool := helper(t, "internal/listtree/listtree")
			for _, as := range []struct {
				name string
				cmd  *exec.Cmd
				want []string
			}{
				{"root", exec.Command(tool, c.mountPoint()), lines(t, expected)},
				{"user", testenv.As(exec.Command(tool, c.mountPoint())), deny(lines(t, expected), false)},
			} {
				r := finish(as.cmd)
				if r.code != 0 {
					t.Fatalf("%s: %+v", as.name, r)
				}
				compareLines(t, strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n"), as.want)
			}
			if r := finish(exec.Command("umount", c.mountPoint())); r.code != 0 {
				t.Errorf("umount: %+v", r)
			}
		})
	}
}
