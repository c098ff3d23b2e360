package builder

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/builder/embedded"
	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmtest"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

// BenchmarkBuild makes a bundle of some 20 MB of shared libraries, in five packages
// as upstream's are, and beside it what the usual tools need for the same packages
// when they are on disk already: rpm2cpio, cpio and tar -cz. It reports the ratio, and
// that of the tree alone (dist against rpm2cpio and cpio).
func BenchmarkBuild(b *testing.B) {
	testenv.Needs(b, testenv.Tool("rpm2cpio", "rpm"), testenv.Tool("cpio", "cpio"), testenv.Tool("tar", "tar"))
	if len(embedded.Architectures()) == 0 {
		testenv.Skip(b, "built without stubs")
	}
	for name, payload := range map[string]string{"zstd": "w19.zstdio", "xz": rpmtest.Xz} {
		b.Run(name, func(b *testing.B) {
			s, rpms := libraries(b, payload)
			var dist, ours, unpack, theirs time.Duration
			for b.Loop() {
				o := s.options(b, "none")
				start := time.Now()
				if err := Dist(b.Context(), o); err != nil {
					b.Fatal(err)
				}
				dist += time.Since(start)
				start = time.Now()
				o.Output = filepath.Join(b.TempDir(), "bundle")
				if err := Build(b.Context(), o); err != nil {
					b.Fatal(err)
				}
				ours += time.Since(start)
				start = time.Now()
				unpack += byTools(b, rpms)
				theirs += time.Since(start)
			}
			b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "ours-ms/op")
			b.ReportMetric(float64(theirs.Milliseconds())/float64(b.N), "tools-ms/op")
			b.ReportMetric(float64(ours)/float64(theirs), "ratio")
			b.ReportMetric(float64(dist)/float64(unpack), "dist-ratio")
		})
	}
}

// byTools returns what unpacking alone took.
func byTools(b *testing.B, rpms []string) time.Duration {
	b.Helper()
	start := time.Now()
	dir := b.TempDir()
	for _, r := range rpms {
		cmd := exec.Command("sh", "-c", `rpm2cpio "$1" | cpio -idmu --quiet`, "sh", r)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	unpack := time.Since(start)
	if err := exec.Command("tar", "-czf", filepath.Join(b.TempDir(), "x.tgz"), "-C", dir, ".").Run(); err != nil {
		b.Fatal(err)
	}
	return unpack
}

// libraries makes a site whose cvmfs packages hold 20 MB of this machine's libraries.
func libraries(b *testing.B, payload string) (*site, []string) {
	b.Helper()
	s := &site{dir: testenv.Dir(b)}
	names := []string{"cvmfs", "cvmfs-libs", "cvmfs-fuse3"}
	files := make([][]rpmtest.File, len(names))
	files[0] = append(files[0], clientSpecs("2.12.6")[0].Files[:3]...) // the program and default.conf
	found, err := filepath.Glob("/usr/lib/*-linux-gnu/*.so.*")
	if err != nil {
		b.Fatal(err)
	}
	total := 0
	for i, path := range found {
		fi, err := os.Lstat(path)
		if err != nil || !fi.Mode().IsRegular() || fi.Size() > 4<<20 || total > 20_000_000 {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		total += len(data)
		files[i%3] = append(files[i%3], rpmtest.File{Path: "/usr/lib64/" + filepath.Base(path), Data: string(data), Mode: 0o755})
	}
	var rpms []string
	for i, name := range names {
		rpms = append(rpms, s.add(b, cernDir, rpmtest.Spec{Name: name, Version: "2.12.6", Payload: payload, Files: files[i]}))
	}
	rpms = append(rpms, s.add(b, almaDir, rpmtest.Spec{Name: "fuse3-libs", Payload: payload, Files: []rpmtest.File{{Path: "/usr/lib64/libfuse3.so.3", Data: "x"}}}))
	rpmtest.Createrepo(b, filepath.Join(s.dir, cernDir))
	rpmtest.Createrepo(b, filepath.Join(s.dir, almaDir))
	s.url = rpmtest.Serve(b, s.dir)
	return s, rpms
}
