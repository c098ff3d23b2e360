package initproc

import (
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawfork"
)

func TestCandidates(t *testing.T) {
	tests := []struct {
		name, path string
		want       []string
	}{
		{"ls", "/bin:/usr/bin", []string{"/bin/ls", "/usr/bin/ls"}},
		{"ls", "", []string{"./ls"}},
		{"ls", ":/bin:", []string{"./ls", "/bin/ls", "./ls"}},
		{"ls", "bin", []string{"bin/ls"}},
		{"/a/ls", "/bin", []string{"/a/ls"}},
		{"./ls", "/bin", []string{"./ls"}},
		{"a/", "/bin", []string{"a/"}},
		{"", "/bin", nil},
		{"a b\n\xff", "/x y", []string{"/x y/a b\n\xff"}},
	}
	for _, tt := range tests {
		if got := candidates(tt.name, tt.path); !cmp.Equal(got, tt.want) {
			t.Errorf("candidates(%q, %q) = %q; want %q", tt.name, tt.path, got, tt.want)
		}
	}
}

func TestPathVar(t *testing.T) {
	tests := []struct {
		env  []string
		want string
	}{
		{[]string{"A=b", "PATH=/x:/y", "PATH=/z"}, "/x:/y"},
		{[]string{"PATH="}, ""},
		{[]string{"PATHS=/x", "XPATH=/y"}, "/bin:/usr/bin"},
		{nil, "/bin:/usr/bin"},
	}
	for _, tt := range tests {
		if got := pathVar(tt.env); got != tt.want {
			t.Errorf("pathVar(%q) = %q; want %q", tt.env, got, tt.want)
		}
	}
}

func fail(name string, errno syscall.Errno) *rawfork.StepError {
	return &rawfork.StepError{Name: name, Err: errno}
}

func TestScriptAt(t *testing.T) {
	paths := []string{"/a/x", "/b/x"}
	tests := []struct {
		fails []*rawfork.StepError
		want  int
	}{
		{nil, -1},
		{[]*rawfork.StepError{fail(execute+"/a/x", unix.ENOENT), fail(execute+"/b/x", unix.ENOEXEC), fail(unexecuted, unix.EBADF)}, 1},
		{[]*rawfork.StepError{fail(execute+"/a/x", unix.EACCES), fail(unexecuted, unix.EBADF)}, -1},
		{[]*rawfork.StepError{fail(chdir, unix.ENOEXEC)}, -1},
	}
	for _, tt := range tests {
		if got := scriptAt(tt.fails, paths); got != tt.want {
			t.Errorf("scriptAt(%v) = %d; want %d", tt.fails, got, tt.want)
		}
	}
}

func TestCannotExecute(t *testing.T) {
	tests := []struct {
		name  string
		fails []*rawfork.StepError
		code  exit.Code
		text  string
	}{
		{"x", nil, exit.NotFound, `execute "x": command not found`},
		{"./x", nil, exit.NotFound, `execute "./x": no such file or directory`},
		{"", nil, exit.NotFound, `execute "": command not found`},
		{"x", []*rawfork.StepError{fail(execute+"/a/x", unix.ENOENT), fail(execute+"/b/x", unix.ENOTDIR)}, exit.NotFound, `execute "x": command not found`},
		{"x", []*rawfork.StepError{fail(chdir, unix.EACCES), fail(execute+"/a/x", unix.ENOENT)}, exit.NotFound, `execute "x": command not found`},
		{"x", []*rawfork.StepError{fail(execute+"/a/x", unix.ENOENT), fail(execute+"/b/x", unix.EACCES)}, exit.CannotExec, `execute "x": permission denied`},
		{"/x", []*rawfork.StepError{fail(execute+"/x", unix.E2BIG)}, exit.CannotExec, `execute "/x": argument list too long`},
	}
	for _, tt := range tests {
		err := cannotExecute(tt.name, tt.fails)
		if exit.CodeOf(err) != tt.code || err.Error() != tt.text {
			t.Errorf("cannotExecute(%q, %v) = %d %q; want %d %q", tt.name, tt.fails, exit.CodeOf(err), err, tt.code, tt.text)
		}
	}
}
