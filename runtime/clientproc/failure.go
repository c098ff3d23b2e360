package clientproc

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// Failure is the error of a client that ended before it served its repository. ws is
// how it ended, output what it wrote; state is where the logs are.
func Failure(repo string, ws unix.WaitStatus, output, state string) error {
	line := LastLine(output)
	if ws.Signaled() {
		return exit.Errorf(exit.Mount, "mount %s: the client was killed by %s%s", repo, unix.SignalName(ws.Signal()), said(line))
	}
	status := ws.ExitStatus()
	if status == 125 || line == "" {
		return exit.Errorf(exit.Mount, "mount %s: the client ended with status %d%s", repo, status, said(line)).
			Hint("its log is %s/log/%s.log", state, repo)
	}
	return exit.Errorf(Code(status, output), "mount %s: %s", repo, line).
		Hint("its log is %s/log/%s.log", state, repo)
}

func said(line string) string {
	if line == "" {
		return ""
	}
	return ": " + line
}

// Code maps an exit status of cvmfs2 (cvmfs/loader.h, enum Failures) to ours. Upstream
// ends with 16 both when no server answers and when what a server sends is refused; the
// words of its messages tell which.
func Code(status int, output string) exit.Code {
	switch exit.Cvmfs2(status) {
	case exit.Cvmfs2Signature, exit.Cvmfs2Blacklisted:
		return exit.Trust
	case exit.Cvmfs2Catalog:
		// the built-in client says which it is
		line := LastLine(output)
		switch {
		case strings.Contains(line, ": unreachable: "), strings.Contains(line, ": failed: "):
			return exit.NoServer
		case strings.Contains(line, ": damaged: "):
			return exit.Trust
		}
		low := strings.ToLower(output)
		for _, word := range []string{"signature", "whitelist", "certificate", "hash", "corrupt", "damaged", "verif", "mismatch", "malformed", "incomplete manifest"} {
			if strings.Contains(low, word) {
				return exit.Trust
			}
		}
		return exit.NoServer
	case exit.Cvmfs2Wpad:
		return exit.NoServer
	case exit.Cvmfs2Cache, exit.Cvmfs2Quota, exit.Cvmfs2Workspace:
		return exit.Cache
	case exit.Cvmfs2Options:
		return exit.Config
	}
	return exit.Mount
}

// loading is what upstream's client writes, without a line end, before it mounts.
const loading = "CernVM-FS: loading Fuse module... "

// LastLine returns the last line of s that says something, without the name of the
// program and a progress message before it.
func LastLine(s string) string {
	lines := strings.Split(s, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if l := strings.TrimSpace(lines[i]); l != "" {
			l = strings.TrimPrefix(l, loading)
			for _, p := range []string{"cvmfs2: error: ", "cvmfs2: "} {
				l = strings.TrimPrefix(l, p)
			}
			return l
		}
	}
	return ""
}
