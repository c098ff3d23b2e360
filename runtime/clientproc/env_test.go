package clientproc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

func TestScrub(t *testing.T) {
	keep := []string{"HOME=/h", "http_proxy=http://p", "X509_USER_PROXY=/tmp/x509up", "BEARER_TOKEN_FILE=/b", "ARCH=x86_64", "EMPTY=", "A=b=c", "ODD=\xff\n",
		"CVMFS_X=1", "PROXY=1", "LANG=C", "ld_preload=x", "G=1"}
	drop := []string{"LD_PRELOAD=/evil.so", "LD_LIBRARY_PATH=/x", "LD_AUDIT=x", "GODEBUG=x", "GOTRACEBACK=crash", "GOMAXPROCS=1", "BASH_ENV=/x", "ENV=/x",
		"BASH_FUNC_ls%%=() { evil; }", "SHELLOPTS=x", "IFS=x", "GLIBC_TUNABLES=x", "MALLOC_CHECK_=3", "HTTP_PROXY=x", "https_proxy=x", "ALL_PROXY=x", "no_proxy=x",
		"ftp_proxy=x", "CVMFS_LIBRARY_PATH=/x", "CVMFSEXEC_LOCAL=/x", "RESOLV_HOST_CONF=x", "noequals", "=x", ""}
	if got := scrub(append(append([]string{}, drop...), keep...)); !cmp.Equal(got, keep) {
		t.Errorf("scrub: %s", cmp.Diff(got, keep))
	}
}

// The libraries are found where distributions put them, under any name of the tree.
func TestNewFindsLibraries(t *testing.T) {
	tests := []struct {
		name       string
		files      []string
		libs, path string
	}{
		{"static", []string{"usr/bin/cvmfs2"}, "", ""},
		{"lib64", []string{"usr/lib64/libcvmfs_fuse3_stub.so", "usr/lib64/libfuse.so.2"}, "usr/lib64", "usr/lib64"},
		{"debian", []string{"usr/lib/libcvmfs_fuse.so", "usr/lib/libfuse.so.2"}, "usr/lib", "usr/lib"},
		{"el7 [x]*?", []string{"usr/lib64/libcvmfs_fuse_stub.so", "lib64/libfuse.so.2"}, "usr/lib64", "usr/lib64:lib64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dist := filepath.Join(t.TempDir(), tt.name)
			for _, f := range tt.files {
				p := filepath.Join(dist, f)
				if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			c := New(dist, []string{"LD_LIBRARY_PATH=/evil", "A=b"})
			want := []string{"A=b"}
			libs := ""
			if tt.libs != "" {
				libs = filepath.Join(dist, tt.libs)
				var dirs []string
				for _, d := range strings.Split(tt.path, ":") {
					dirs = append(dirs, filepath.Join(dist, d))
				}
				want = append(want, "LD_LIBRARY_PATH="+strings.Join(dirs, ":"), "CVMFS_LIBRARY_PATH="+libs)
			}
			if c.Libs != libs || !cmp.Equal(c.Env, want) {
				t.Errorf("%q, %q; want %q, %q", c.Libs, c.Env, libs, want)
			}
		})
	}
}

func TestFailure(t *testing.T) {
	ended := func(n int) unix.WaitStatus { return unix.WaitStatus(n << 8) }
	tests := []struct {
		ws     unix.WaitStatus
		output string
		want   string
	}{
		{ended(9), "cvmfs2: error: cache is full\n", "mount a.b: cache is full"},
		{ended(9), "", "mount a.b: the client ended with status 9"},
		{ended(125), "x\n", "mount a.b: the client ended with status 125: x"},
		{unix.WaitStatus(unix.SIGKILL), "", "mount a.b: the client was killed by SIGKILL"},
		{unix.WaitStatus(unix.SIGSEGV), "last\nwords", "mount a.b: the client was killed by SIGSEGV: words"},
	}
	for _, tt := range tests {
		if got := Failure("a.b", tt.ws, tt.output, "/state").Error(); got != tt.want {
			t.Errorf("Failure(%#x, %q) = %q; want %q", tt.ws, tt.output, got, tt.want)
		}
	}
}

// pollFD is struct pollfd as the kernel sees it.
func TestPollFD(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	high, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD_CLOEXEC, 300)
	if err != nil {
		testenv.Skip(t, "needs a limit of open files above 300: "+err.Error())
	}
	defer unix.Close(high)
	if got, want := pollFD(0x01020304), []byte{4, 3, 2, 1, 0, 0, 0, 0}; !cmp.Equal(got, want) {
		t.Errorf("pollFD = %v; want %v", got, want)
	}
	fds := []unix.PollFd{{Fd: int32(high)}}
	if n, err := unix.Poll(fds, 0); n != 0 || err != nil {
		t.Errorf("poll of a living peer: %d, %v", n, err)
	}
	w.Close()
	if n, err := unix.Poll(fds, 0); n != 1 || err != nil || fds[0].Revents&unix.POLLHUP == 0 {
		t.Errorf("poll of a dead peer: %d, %v, %#x", n, err, fds[0].Revents)
	}
}
