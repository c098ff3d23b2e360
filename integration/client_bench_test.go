package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// benchClient is a repository and a namespace to mount it in.
type benchClient struct {
	*clientNS
	b    *testing.B
	conf *clientConf
	bin  string

	colds int // caches put aside
}

func newBenchClient(b *testing.B, r *testrepo.Repo) *benchClient {
	b.Helper()
	pub, err := r.Publish(filepath.Join(b.TempDir(), "repo"))
	if err != nil {
		b.Fatal(err)
	}
	ns := newClientNS(b)
	return &benchClient{
		clientNS: ns, b: b, bin: testenv.Binary(b, "cvmfs2"),
		conf: newClientConf(b, ns.dir, pub.FQRN, testrepo.Serve(b, pub).URL, pub.PublicKeyPEM),
	}
}

// timed runs a command inside and returns how long it took.
func (c *benchClient) timed(name string, args ...string) time.Duration {
	c.b.Helper()
	start := time.Now()
	c.must(name, args...)
	return time.Since(start)
}

func (c *benchClient) mount() time.Duration { return c.timed(c.bin, c.conf.args()...) }

func (c *benchClient) umount() { c.must("umount", c.conf.mountPoint()) }

// cold puts the cache aside. It is not removed before the end: on ext4 the creation
// of files is slow for minutes after many were removed (the kernel looks at each free
// inode and passes over those freed lately), which would be measured instead.
func (c *benchClient) cold() {
	c.colds++
	err := os.Rename(filepath.Join(c.dir, "cache"), filepath.Join(c.dir, fmt.Sprintf("cache-%d", c.colds)))
	if err != nil && !os.IsNotExist(err) {
		c.b.Fatal(err)
	}
}

// write makes n small files beside the cache and returns how long it took.
func (c *benchClient) write(n int) time.Duration {
	dir, err := os.MkdirTemp(c.dir, "plain")
	if err != nil {
		c.b.Fatal(err)
	}
	data := make([]byte, 4000)
	start := time.Now()
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), data, 0o600); err != nil {
			c.b.Fatal(err)
		}
	}
	return time.Since(start)
}

// rss returns the memory of the client in bytes.
func (c *benchClient) rss() float64 {
	for _, pid := range c.marker.PIDs() {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if string(comm) != "cvmfs2\n" {
			continue
		}
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
				kb, _ := strconv.ParseFloat(f[1], 64)
				return kb * 1024
			}
		}
	}
	return 0
}

// BenchmarkClientMount times the start of the client in the background, with an
// empty cache and with a full one. It includes the start of nsenter.
func BenchmarkClientMount(b *testing.B) {
	r := testrepo.New("bench.example.org")
	r.File("file", "x")
	c := newBenchClient(b, r)
	var cold, warm, none time.Duration
	for b.Loop() {
		none += c.timed("true")
		c.cold()
		cold += c.mount()
		c.umount()
		warm += c.mount()
		c.umount()
	}
	b.ReportMetric(float64(none.Microseconds())/1000/float64(b.N), "ms/true")
	b.ReportMetric(float64(cold.Microseconds())/1000/float64(b.N), "ms/cold")
	b.ReportMetric(float64(warm.Microseconds())/1000/float64(b.N), "ms/warm")
}

// BenchmarkClientFind lists 101,000 entries in 20 nested catalogs: first mount,
// remount with the cache full, and again from the kernel's caches.
func BenchmarkClientFind(b *testing.B) {
	c := newBenchClient(b, testrepo.Generate("bench.example.org", 1, testrepo.GenerateOptions{Nested: 20, Dirs: 50, FilesPerDir: 100, MaxSize: 10}))
	var cold, warm, again time.Duration
	var before, after float64
	find := func() time.Duration {
		return c.timed("sh", "-c", `find "$1" -ls | wc -l`, "sh", c.conf.mountPoint())
	}
	for b.Loop() {
		c.cold()
		c.mount()
		before = c.rss()
		cold += find()
		after = c.rss()
		c.umount()
		c.mount()
		warm += find()
		again += find()
		c.umount()
	}
	b.ReportMetric(cold.Seconds()/float64(b.N), "s/cold")
	b.ReportMetric(warm.Seconds()/float64(b.N), "s/warm")
	b.ReportMetric(again.Seconds()/float64(b.N), "s/again")
	b.ReportMetric(before/1e6, "MB-mounted")
	b.ReportMetric(after/1e6, "MB-after")
}

// BenchmarkClientRead reads a file of 512 MB of random data: first mount, remount,
// and again from the kernel's cache; then 2,000 small files.
func BenchmarkClientRead(b *testing.B) {
	const size = 512 << 20
	for _, kind := range []string{"chunked", "whole"} {
		b.Run(kind, func(b *testing.B) {
			r := testrepo.New("bench.example.org")
			opts := []testrepo.Option{testrepo.Content(testrepo.Random(1, size))}
			if kind == "chunked" {
				opts = append(opts, testrepo.Chunked(8<<20))
			}
			r.File("big", "", opts...)
			c := newBenchClient(b, r)
			big := c.conf.mountPoint() + "/big"
			var cold, warm, again time.Duration
			var after float64
			for b.Loop() {
				c.cold()
				c.mount()
				cold += c.timed("dd", "if="+big, "of=/dev/null", "bs=1M")
				after = c.rss()
				c.umount()
				c.mount()
				warm += c.timed("dd", "if="+big, "of=/dev/null", "bs=1M")
				again += c.timed("dd", "if="+big, "of=/dev/null", "bs=1M")
				c.umount()
			}
			speed := func(d time.Duration) float64 { return size * float64(b.N) / 1e6 / d.Seconds() }
			b.ReportMetric(speed(cold), "MB/s-cold")
			b.ReportMetric(speed(warm), "MB/s-warm")
			b.ReportMetric(speed(again), "MB/s-again")
			b.ReportMetric(after/1e6, "MB-after")
		})
	}
	b.Run("small", func(b *testing.B) {
		c := newBenchClient(b, testrepo.Generate("bench.example.org", 2, testrepo.GenerateOptions{Nested: 2, Dirs: 10, FilesPerDir: 100, MaxSize: 8000}))
		var cold, warm, plain time.Duration
		read := func() time.Duration {
			return c.timed("sh", "-c", `find "$1" -type f -print0 | xargs -0 cat >/dev/null`, "sh", c.conf.mountPoint())
		}
		for b.Loop() {
			c.cold()
			c.mount()
			cold += read()
			c.umount()
			c.mount()
			warm += read()
			c.umount()
			plain += c.write(2000)
		}
		b.ReportMetric(2000*float64(b.N)/cold.Seconds(), "files/s-cold")
		b.ReportMetric(2000*float64(b.N)/plain.Seconds(), "files/s-written") // to the disk of the cache, without us
		b.ReportMetric(2000*float64(b.N)/warm.Seconds(), "files/s-warm")
	})
}
