package ui

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

func TestError(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
		code exit.Code
	}{
		{"nil", nil, "", exit.OK},
		{"plain", errors.New("no"), "p: error: no\n", exit.Unclassified},
		{"coded", exit.Errorf(exit.Digest, "bad digest").Hint("fetch it again"), "p: error: bad digest\np: hint: fetch it again\n", exit.Digest},
		{"joined", errors.Join(errors.New("a"), errors.New("b")), "p: error: a; b\n", exit.Unclassified},
		{"hostile", errors.New("x\x1b[2J\xffy\rz"), "p: error: x\\x1b[2J\\xffy\\x0dz\n", exit.Unclassified},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			code := Error(&b, "p", tt.err)
			if got := b.String(); got != tt.want || code != tt.code {
				t.Errorf("Error = %q, %d; want %q, %d", got, code, tt.want, tt.code)
			}
		})
	}
}
