package fusemount

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestTranslate(t *testing.T) {
	tests := []struct {
		name        string
		options     []string
		suid        bool
		source, typ string
		flags       string
		data        []string
	}{
		{"nothing", nil, false, "cvmfs2", "fuse", "MS_NODEV|MS_NOSUID|MS_RDONLY", nil},
		{"usual", []string{"default_permissions", "allow_other", "max_read=131072"}, false, "cvmfs2", "fuse", "MS_NODEV|MS_NOSUID|MS_RDONLY",
			[]string{"default_permissions", "allow_other", "max_read=131072"}},
		{"names", []string{"fsname=x=y", "subtype=z"}, false, "x=y", "fuse.z", "MS_NODEV|MS_NOSUID|MS_RDONLY", nil},
		{"flags", []string{"noatime", "noexec", "exec", "sync"}, false, "cvmfs2", "fuse", "MS_NOATIME|MS_NODEV|MS_NOSUID|MS_RDONLY|MS_SYNCHRONOUS", nil},
		{"suid", nil, true, "cvmfs2", "fuse", "MS_NODEV|MS_RDONLY", nil},
		{"suid and nosuid", []string{"nosuid"}, true, "cvmfs2", "fuse", "MS_NODEV|MS_NOSUID|MS_RDONLY", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source, typ, flags, data := translate(tt.options, tt.suid)
			if source != tt.source || typ != tt.typ || flagNames(flags) != tt.flags || !cmp.Equal(data, tt.data) {
				t.Errorf("got %q %q %s %q", source, typ, flagNames(flags), data)
			}
		})
	}
}

func TestHelperArgs(t *testing.T) {
	got := helperArgs(Request{Dir: "-m", Options: []string{"allow_other", `fsname=a,b\c`}})
	want := []string{"-o", `ro,nodev,nosuid,allow_other,fsname=a\,b\\c`, "--", "-m"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := helperArgs(Request{Dir: "/m", Suid: true})[1]; got != "ro,nodev,fsname=cvmfs2" {
		t.Errorf("options are %q", got)
	}
}

func TestReceive(t *testing.T) {
	pair := func() [2]int {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	p := pair()
	if err := unix.Sendmsg(p[1], []byte{0}, unix.UnixRights(int(f.Fd())), nil, 0); err != nil {
		t.Fatal(err)
	}
	fd, err := receive(p[0])
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if err := unix.Sendmsg(p[1], []byte{0}, nil, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := receive(p[0]); err == nil {
		t.Error("a message without a descriptor was taken")
	}
	unix.Close(p[1])
	if _, err := receive(p[0]); err == nil {
		t.Error("a closed socket was taken")
	}
	unix.Close(p[0])
}

func TestPremountedRefuses(t *testing.T) {
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Premounted(int(f.Fd())); err == nil || !strings.Contains(err.Error(), "is not /dev/fuse") {
		t.Errorf("/dev/null: %v", err)
	}
	if _, err := Premounted(1 << 20); err == nil {
		t.Error("a closed descriptor was taken")
	}
}

func TestOpenNoDirectory(t *testing.T) {
	if _, err := Open(Request{Dir: filepath.Join(t.TempDir(), "no")}); err == nil || !strings.Contains(err.Error(), "mount point") {
		t.Errorf("error = %v", err)
	}
}
