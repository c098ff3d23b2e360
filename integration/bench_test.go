package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

func monotonic() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// startTime runs cmd, whose command prints CLOCK_MONOTONIC first thing, and returns the
// time from before the start to then: the end of a process is not the start of its
// command.
func startTime(b *testing.B, cmd *exec.Cmd) time.Duration {
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	begin := monotonic()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v: %v %s", cmd.Args, err, stderr.String())
	}
	at, err := strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(at - begin)
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}

// BenchmarkStart compares, interleaved in one run and by medians: the start of a command
// under a warm bundle with one repository, the same without a repository, bare unshare,
// and the mount alone (unshare and the client in the background, until the client's
// parent ends because it has mounted). Metrics are ratios; ms are of this machine.
func BenchmarkStart(b *testing.B) {
	testenv.Needs(b, testenv.UserNS, testenv.DevFuse, testenv.Tool("unshare", "util-linux"))
	const repo = "quick.example.org"
	server, keys := published(b, repo)
	bun := newBundle(b, server, keys)
	clock := helper(b, "integration/clock")
	bun.must(repo, "--", clock)
	var bare, none, one, mount []time.Duration
	conf, dir := filepath.Join(bun.dir, "mount.conf"), filepath.Join(bun.dir, "mnt")
	config := bun.must("--showconfig", repo)
	if err := os.WriteFile(conf, []byte(config), 0o644); err != nil {
		b.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	testenv.Own(b, dir)
	client := filepath.Join(bun.dir, ".cvmfsexec/dist/usr/bin/cvmfs2")
	for b.Loop() {
		bare = append(bare, startTime(b, testenv.As(exec.Command("unshare", "-Urmpf", "--mount-proc", clock))))
		none = append(none, startTime(b, bun.cmd("--", clock)))
		one = append(one, startTime(b, bun.cmd(repo, "--", clock)))
		// as pid 1 of a namespace: when it has mounted and ends, so does its daemon
		begin := time.Now()
		if out, err := testenv.As(exec.Command("unshare", "-Urmpf", "--mount-proc", client, "-o", "config="+conf, repo, dir)).CombinedOutput(); err != nil {
			b.Fatalf("mount alone: %v %s", err, out)
		}
		mount = append(mount, time.Since(begin))
	}
	m := median(bare)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(m.Microseconds())/1000, "ms-unshare")
	b.ReportMetric(float64(median(none).Microseconds())/1000, "ms-bundle")
	b.ReportMetric(float64(median(one).Microseconds())/1000, "ms-bundle+repo")
	b.ReportMetric(float64(median(mount).Microseconds())/1000, "ms-mount")
	b.ReportMetric(float64(median(none))/float64(m), "bundle/unshare")
	b.ReportMetric(float64(median(one))/float64(m), "bundle+repo/unshare")
	b.ReportMetric(float64(median(one)-median(mount))/float64(time.Millisecond), "ms-beyond-mount")
}
