package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// TestClientFewDescriptors: with 64 descriptors the client serves many readers of
// many files at once. Some may hear that too many files are open, none that files
// are damaged; afterwards all is as before.
func TestClientFewDescriptors(t *testing.T) {
	r := testrepo.New("few.example.org")
	small := 0
	for i := range 40 {
		for j := range 5 {
			text := fmt.Sprintf("content %d of %d\n", j, i)
			small += len(text)
			r.File(fmt.Sprintf("d%d/f%d", i, j), text)
		}
		r.File(fmt.Sprintf("d%d/chunks", i), "", testrepo.Content(testrepo.Random(uint64(i+1), 20_000)), testrepo.Chunked(4000))
		r.Nested(fmt.Sprintf("d%d", i))
	}
	pub, err := r.Publish(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ns := newClientNS(t)
	c := newClientConf(t, ns.dir, "few.example.org", testrepo.Serve(t, pub).URL, pub.PublicKeyPEM)
	ns.must("sh", append([]string{"-c", `ulimit -n 64; exec "$0" "$@"`, testenv.Binary(t, "cvmfs2")}, c.args()...)...)
	crowd := ns.run("sh", "-c", `cd "$1"; for i in 1 2 3; do
		find . -type f -print0 | xargs -0 -n 4 -P 60 sh -c 'exec 3<"$1" 4<"$2"; cat "$@" >/dev/null' sh; done`, "sh", c.mountPoint())
	if strings.Contains(crowd.stderr, "Input/output") || strings.Contains(crowd.stderr, "No such") {
		t.Errorf("readers say:\n%s", crowd.stderr)
	}
	ns.must("sh", "-c", `cd "$1"; p=; for i in $(seq 0 11); do sleep 100 <d$i/f0 >/dev/null 2>&1 & p="$p $!"; done; sleep 0.2
		cat d*/chunks >/dev/null && cat d39/f4 && ls d38; e=$?; kill $p; exit $e`, "sh", c.mountPoint()) // a quarter of 64 may be open
	if log := c.log(); strings.Contains(log, "EIO") {
		t.Errorf("log:\n%s", log)
	}
	out := ns.must("sh", "-c", `cd "$1"; find . -type f | wc -l; find . -type f -print0 | xargs -0 cat | wc -c`, "sh", c.mountPoint())
	if f := strings.Fields(out); len(f) != 2 || f[0] != "240" || f[1] != fmt.Sprint(40*20_000+small) {
		t.Errorf("afterwards: %q", out)
	}
	ns.must("umount", c.mountPoint())
}
