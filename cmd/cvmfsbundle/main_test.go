package main

import (
	"debug/elf"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cvmfsbundle/cvmfsbundle/builder/embedded"
	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmrepo"
	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cvmfsbundle": main})
}

// TestScripts runs the commands as a user does. The scripts find in $MIRRORS what
// sends the shipped profiles to a site of our own.
func TestScripts(t *testing.T) {
	site := makeSite(t)
	server := httptest.NewServer(http.FileServer(http.Dir(site)))
	t.Cleanup(server.Close) // the scripts run in parallel, after this function
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("CVMFSBUNDLE_MIRRORS", mirrors(server.URL))
			env.Setenv("SITE", server.URL)
			env.Setenv("SOURCE_DATE_EPOCH", "")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "embedded" {
				return len(embedded.Architectures()) > 0, nil
			}
			return false, errors.New("unknown condition")
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits},
	})
}

// exits CODE PROGRAM ARG... runs a program and checks its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exitErr := new(exec.ExitError); errors.As(err, &exitErr) {
		got = exitErr.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code is %d, want %d", got, want)
	}
}

// mirrors is the value of CVMFSBUNDLE_MIRRORS for a site.
func mirrors(url string) string {
	var out []string
	for _, host := range []string{"cvmrepo.s3.cern.ch", "repo.opensciencegrid.org", "download.fedoraproject.org", "repo.almalinux.org", "demo.invalid"} {
		out = append(out, "https://"+host+"="+url+"/"+host)
	}
	return strings.Join(out, "\n")
}

// makeSite makes the repositories of the profiles osg and demo, without any tool.
func makeSite(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	file := func(path, data string) []rpmrepo.File {
		return []rpmrepo.File{{Path: path, Data: []byte(data), Mode: 0o755}}
	}
	var client []rpmrepo.Package
	for _, version := range []string{"2.11.0", "2.12.6", "2.13.0"} {
		client = append(client,
			rpmrepo.Package{Name: "cvmfs", Version: version, Arch: "x86_64", Files: append(file("/usr/bin/cvmfs2", rpmtest.ELF(elf.EM_X86_64)+version), file("/etc/cvmfs/default.conf", "A=b\n")...)},
			rpmrepo.Package{Name: "cvmfs-libs", Version: version, Arch: "x86_64", Files: file("/usr/lib64/libcvmfs_client.so."+version, "x")},
			rpmrepo.Package{Name: "cvmfs-fuse3", Version: version, Arch: "x86_64", Files: file("/usr/lib64/libcvmfs_fuse3.so."+version, "x")})
	}
	for path, packages := range map[string][]rpmrepo.Package{
		"cvmrepo.s3.cern.ch/cvmrepo/yum/cvmfs/EL/9/x86_64": client,
		"repo.opensciencegrid.org/osg/25-main/el9/release/x86_64": {
			{Name: "cvmfs", Version: "2.12.6", Arch: "x86_64"},
			{Name: "cvmfs-config-osg", Version: "2.5", Files: file("/etc/cvmfs/default.d/60-osg.conf", "X=y\n")},
			{Name: "cvmfs-x509-helper", Arch: "x86_64", Files: file("/usr/libexec/cvmfs/authz/cvmfs_x509_helper", "x")},
		},
		"download.fedoraproject.org/pub/epel/9/Everything/x86_64": {{Name: "scitokens-cpp", Arch: "x86_64"}},
		"repo.almalinux.org/almalinux/9/AppStream/x86_64/os":      {{Name: "fuse3-libs", Arch: "x86_64"}},
		"demo.invalid/rpms": {{Name: "cvmfs-config-demo", Files: file("/etc/cvmfs/domain.d/example.org.conf", "Y=z\n")}},
	} {
		sub := filepath.Join(dir, path)
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := rpmrepo.Write(sub, packages...); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestSignal interrupts the real program in the middle of a download.
func TestSignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			asked := make(chan struct{}, 10)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- struct{}{}
				<-r.Context().Done()
			}))
			defer server.Close()
			dir := t.TempDir()
			cmd := exec.Command("cvmfsbundle", "dist", "-profile", "osg", "-machine", "rhel9-x86_64", "-o", "dist")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "CVMFSBUNDLE_MIRRORS="+mirrors(server.URL))
			var stderr strings.Builder
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-asked
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != 130 || !strings.HasSuffix(stderr.String(), "cvmfsbundle: error: interrupted\n") {
				t.Errorf("got %d, %q", got, stderr.String())
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
