package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/payload"
	"github.com/cvmfsbundle/cvmfsbundle/internal/standin"
)

// A bundle of profile osg with its default client, the RPM's: a dynamically linked
// program that finds its libraries only in the bundle's tree serves the mounts.
func TestOSG(t *testing.T) {
	b := osgBundle(t)
	t.Run("packages", func(t *testing.T) { osgPackages(t, b.path) })
	t.Run("tree", func(t *testing.T) { osgTree(t, b) })
	dist := osgDist(t, b)
	t.Run("libraries", func(t *testing.T) { osgLibraries(t, b, dist) })
	t.Run("process", func(t *testing.T) { osgProcess(t, b, dist) })
	t.Run("parameters", func(t *testing.T) { osgParameters(t, b, dist) })
	t.Run("log", func(t *testing.T) { osgLog(t, b) })
	t.Run("mounts", func(t *testing.T) { osgMounts(t, b) })
	t.Run("debug", func(t *testing.T) { osgDebug(t, b) })
}

// The client is of the version that OSG carries, not of the newest.
func osgPackages(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := payload.Open(f, fi.Size())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range bundle.Manifest.Packages {
		got = append(got, p.NEVRA)
	}
	all := strings.Join(got, " ")
	for _, want := range []string{"cvmfs-" + standin.Version, "cvmfs-libs-" + standin.Version, "cvmfs-fuse3-" + standin.Version,
		"cvmfs-config-osg-2.10", "cvmfs-x509-helper-", "scitokens-cpp-", "fuse3-libs-"} {
		if !regexp.MustCompile(`(^| )` + strings.ReplaceAll(regexp.QuoteMeta(want), `-2\.`, `-(0:)?2\.`)).MatchString(all) {
			t.Errorf("no %s among %s", want, all)
		}
	}
	if len(got) != 7 {
		t.Errorf("%d packages: %s; want 7", len(got), all)
	}
}

func osgTree(t *testing.T, b *bundle) {
	b.t = t
	if got, want := b.osgCat(osgRepo, "README"), "This is "+osgRepo+", served by a stand-in for the CVMFS client.\n"; got != want {
		t.Errorf("README: %q; want %q", got, want)
	}
	script := `cd /cvmfs/` + osgRepo + ` && ./hello && /bin/cat link many/file042 && set -- many/* && echo $#
/usr/bin/sha1sum <big; echo x >new; [ -O README ] && echo mine; [ ! -w README ] && echo read-only; echo /cvmfs/*`
	r := b.run(osgRepo, "--", "/bin/sh", "-c", script)
	const want = "hello from " + osgRepo + "\nThis is " + osgRepo + ", served by a stand-in for the CVMFS client.\nfile042\n100\n" +
		"18f92430de42504facedb57876aa3b61ea71be3f  -\nmine\nread-only\n/cvmfs/" + osgRepo + " /cvmfs/" + osgConfig + "\n"
	if r.stdout != want || !strings.Contains(r.stderr, "Read-only file system") {
		t.Errorf("got %q, %q\nwant %q", r.stdout, r.stderr, want)
	}
}

// osgDist returns the unpacked tree of the bundle.
func osgDist(t *testing.T, b *bundle) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.dir, ".cvmfsexec", strings.Repeat("[0-9a-f]", 64), "dist"))
	if err != nil || len(found) != 1 {
		t.Fatalf("unpacked trees: %q, %v; want one", found, err)
	}
	return found[0]
}

// Each library that packages bring comes from the tree; the C library and the loader
// are the host's.
func osgLibraries(t *testing.T, b *bundle, dist string) {
	b.t = t
	lib := dist + "/usr/lib64/"
	seen := map[string]bool{}
	for line := range strings.Lines(b.osgCat(osgRepo, "maps")) {
		_, path, ok := strings.Cut(trim(line), "/")
		if !ok {
			continue
		}
		path = "/" + path
		name := filepath.Base(path)
		seen[name] = true
		seen["libfuse3"] = seen["libfuse3"] || strings.HasPrefix(name, "libfuse3.so.3.")
		if ours := strings.HasPrefix(name, "libcvmfs") || strings.HasPrefix(name, "libfuse"); ours && path != lib+name {
			t.Errorf("%s is mapped; want the one in %s", path, lib)
		}
		if strings.HasPrefix(path, dist) && path != lib+name && path != dist+"/usr/bin/cvmfs2" {
			t.Errorf("%s is mapped", path)
		}
	}
	for _, name := range []string{"cvmfs2", "libfuse3", "libcvmfs_util.so." + standin.Version, "libcvmfs_fuse3_stub.so." + standin.Version, "libcvmfs_fuse3.so." + standin.Version} {
		if !seen[name] {
			t.Errorf("%s is not mapped, only %v", name, seen)
		}
	}
}

// The client's process: how it was started and what it inherited.
func osgProcess(t *testing.T, b *bundle, dist string) {
	b.t = t
	cmd := b.cmd(osgRepo, "--", "/bin/sh", "-c", "cd /cvmfs/"+osgRepo+"; for f in cmdline environ descriptors status cwd; do echo \"== $f\"; /bin/cat $f; done")
	cmd.Env = append(cmd.Env, "LD_PRELOAD=/nowhere.so", "LD_LIBRARY_PATH=/lib", "CVMFS_LIBRARY_PATH=/lib", "BASH_ENV=/x", "https_proxy=http://x.invalid", "MALLOC_CHECK_=3", "TOOL=1.2")
	r := b.finish(cmd)
	part := map[string]string{}
	for text := range strings.SplitSeq(r.stdout, "== ") {
		name, text, _ := strings.Cut(text, "\n")
		part[name] = text
	}
	if want := regexp.MustCompile(`\A.*cvmfs2\n-o\nconfig=/proc/self/fd/\d+,simple_options_parsing\n` + regexp.QuoteMeta(osgRepo) + `\n/dev/fd/\d+\n-f\n\z`); !want.MatchString(part["cmdline"]) {
		t.Errorf("command line %q; want %s", part["cmdline"], want)
	}
	env := "\n" + part["environ"]
	for _, want := range []string{"LD_LIBRARY_PATH=" + dist + "/usr/lib64", "CVMFS_LIBRARY_PATH=" + dist + "/usr/lib64", "TOOL=1.2"} {
		if !strings.Contains(env, "\n"+want+"\n") {
			t.Errorf("environment %q; want %s", env, want)
		}
	}
	for _, no := range []string{"LD_PRELOAD", "BASH_ENV", "https_proxy", "MALLOC_CHECK_"} {
		if strings.Contains(env, "\n"+no+"=") {
			t.Errorf("environment has %s: %q", no, env)
		}
	}
	for line := range strings.Lines(part["descriptors"]) {
		// its own, the pipe of its output, the device, the configuration: nothing else
		ok := regexp.MustCompile(`^(\d+ (pipe:.*|socket:.*|/dev/null|/dev/fuse|.*/log/` + osgRepo + `\.log|.*/var/lib/cvmfs/.*|/memfd:config \(deleted\)|anon_inode:.*))$`)
		if !ok.MatchString(trim(line)) {
			t.Errorf("descriptor %q", trim(line))
		}
	}
	if !regexp.MustCompile(`(?m)^Umask:\s+0007$`).MatchString(part["status"]) || !regexp.MustCompile(`(?m)^Name:\s+cvmfs2$`).MatchString(part["status"]) {
		t.Errorf("status %q; want umask 0007, name cvmfs2", part["status"])
	}
	if want := "/var/lib/cvmfs/shared\n"; !strings.HasSuffix(part["cwd"], want) {
		t.Errorf("working directory %q; want ...%q", part["cwd"], want)
	}
}

// The client's log lies beside the tree, in upstream's form.
func osgLog(t *testing.T, b *bundle) {
	b.t = t
	b.must(osgRepo, "--", "/bin/true")
	path := filepath.Join(b.dir, ".cvmfsexec/log", osgRepo+".log")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`(?m)^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} \(` + regexp.QuoteMeta(osgRepo) + `\) CernVM-FS: linking /dev/fd/\d+ to repository ` + osgRepo + `$`)
	if !form.Match(data) || fi.Mode().Perm() != 0o600 {
		t.Errorf("log, mode %v: %q; want %s", fi.Mode(), data, form)
	}
}

// What the mount table inside shows is what upstream's own mounts show.
func osgMounts(t *testing.T, b *bundle) {
	b.t = t
	table := b.must(osgRepo, "--", "/bin/cat", "/proc/self/mounts")
	for _, repo := range []string{osgConfig, osgRepo} {
		want := regexp.MustCompile(fmt.Sprintf(`(?m)^cvmfs2 /cvmfs/%s fuse ro,nosuid,nodev,.*default_permissions`, regexp.QuoteMeta(repo)))
		if !want.MatchString(table) {
			t.Errorf("mounts:\n%s\nwant %s", table, want)
		}
	}
}

// CVMFS_DEBUGLOG starts the client with its debug library.
func osgDebug(t *testing.T, b *bundle) {
	b.t = t
	file := filepath.Join(b.dir, "debug.log")
	maps := b.must("--set", "CVMFS_DEBUGLOG="+file, osgRepo, "--", "/bin/cat", "/cvmfs/"+osgRepo+"/maps")
	if !strings.Contains(maps, "/libcvmfs_fuse3_debug.so."+standin.Version) {
		t.Errorf("the debug library is not mapped:\n%s", maps)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), "(cvmfs) starting "+osgRepo) {
		t.Errorf("debug log: %q, %v", data, err)
	}
}
