package clientproc

import (
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

func TestCode(t *testing.T) {
	tests := []struct {
		name   string
		status int
		output string
		want   exit.Code
	}{
		{"signature", 15, "", exit.Trust},
		{"blacklisted", 25, "", exit.Trust},
		{"ours, no server", 16, "Failed to initialize root file catalog: unreachable: http://x/.cvmfswhitelist (16 - file catalog failure)\n", exit.NoServer},
		{"ours, an error of the server", 16, "Failed to initialize root file catalog: failed: http://x/.cvmfswhitelist: 503 (16 - file catalog failure)", exit.NoServer},
		{"ours, damage", 16, "Failed to initialize root file catalog: damaged: corrupted data received (16 - file catalog failure)", exit.Trust},
		{"upstream, signature", 16, "bad whitelist\nFailed to initialize root file catalog (16 - file catalog failure)", exit.Trust},
		{"upstream, network", 16, "Failed to initialize root file catalog (16 - file catalog failure)", exit.NoServer},
		{"proxies", 23, "", exit.NoServer},
		{"cache", 9, "", exit.Cache},
		{"quota", 12, "", exit.Cache},
		{"workspace", 24, "", exit.Cache},
		{"options", 2, "", exit.Config},
		{"mount", 4, "", exit.Mount},
		{"unknown", 99, "", exit.Mount},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Code(tt.status, tt.output); got != tt.want {
				t.Errorf("Code = %d; want %d", got, tt.want)
			}
		})
	}
}

func TestLastLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"\n \n":                     "",
		"a\nb\n\n":                  "b",
		"cvmfs2: error: x":          "x",
		loading + "failed (15 - s)": "failed (15 - s)",
		loading:                     "CernVM-FS: loading Fuse module...",
	} {
		if got := LastLine(in); got != want {
			t.Errorf("LastLine(%q) = %q; want %q", in, got, want)
		}
	}
}
