package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// Everything that is wrong with a repository's signatures or content is refused: the
// mount or the read fails, one line on stderr and in the log names the cause, and the
// exit code is the one of docs/exit-codes.md.
func TestTrustThroughBundle(t *testing.T) {
	needsMode3(t)
	const repo = "trust.example.org"
	describe := func() *testrepo.Repo {
		r := testrepo.New(repo)
		r.File("README", "hello\n")
		r.File("big", "", testrepo.Content(testrepo.Random(1, 300<<10)))
		return r
	}
	tests := []struct {
		name   string
		break_ []testrepo.Break
		key    func(right []byte) []byte
		code   int
		words  string // of the message
	}{
		{name: "good", code: 0},
		{name: "wrong key", key: func([]byte) []byte { return otherKey(t) }, code: 22, words: "whitelist"},
		{name: "expired whitelist", break_: []testrepo.Break{testrepo.ExpiredWhitelist()}, code: 22, words: "expired whitelist"},
		{name: "certificate not on the whitelist", break_: []testrepo.Break{testrepo.CertificateNotListed()}, code: 22, words: "certificate"},
		{name: "wrong repository name", break_: []testrepo.Break{testrepo.ManifestField('N', "other.example.org")}, code: 22, words: "repository name mismatch"},
		{name: "wrong name in the whitelist", break_: []testrepo.Break{testrepo.WhitelistName("other.example.org")}, code: 22, words: "mismatch"},
		{name: "manifest not signed by the certificate", break_: []testrepo.Break{testrepo.WrongManifestSignature()}, code: 22, words: "signature"},
		{name: "tampered manifest", break_: []testrepo.Break{testrepo.HarmFile(".cvmfspublished", testrepo.Flip)}, code: 22},
		{name: "tampered root catalog", break_: []testrepo.Break{testrepo.HarmCatalog("", testrepo.Flip)}, code: 22},
		{name: "truncated root catalog", break_: []testrepo.Break{testrepo.HarmCatalog("", testrepo.Truncate)}, code: -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := describe().Publish(filepath.Join(t.TempDir(), "repo"), tt.break_...)
			if err != nil {
				t.Fatal(err)
			}
			key := p.PublicKeyPEM
			if tt.key != nil {
				key = tt.key(key)
			}
			b := newBundle(t, testrepo.Serve(t, p), map[string][]byte{repo: key})
			r := b.run(repo, "--", probe(t), "cat", "/cvmfs/"+repo+"/README")
			if tt.code >= 0 && r.code != tt.code || tt.code < 0 && (r.code < 21 || r.code > 24) {
				t.Errorf("code %d; want %d: %s", r.code, tt.code, r.stderr)
			}
			if r.code == 0 {
				return
			}
			first, _, _ := strings.Cut(r.stderr, "\n")
			if !strings.HasPrefix(first, "cvmfsexec: error: mount "+repo+": ") || !strings.Contains(first, tt.words) || r.stdout != "" {
				t.Errorf("stderr %q, stdout %q", r.stderr, r.stdout)
			}
			log, err := os.ReadFile(filepath.Join(b.dir, ".cvmfsexec/log", repo+".log"))
			if err != nil || !strings.Contains(string(log), tt.words) {
				t.Errorf("log: %v %q", err, log)
			}
		})
	}
	for _, harm := range []testrepo.Harm{testrepo.Flip, testrepo.Truncate, testrepo.Missing} {
		p, err := describe().Publish(filepath.Join(t.TempDir(), "repo"), testrepo.HarmObject("big", harm))
		if err != nil {
			t.Fatal(err)
		}
		b := newBundle(t, testrepo.Serve(t, p), map[string][]byte{repo: p.PublicKeyPEM})
		r := b.run(repo, "--", probe(t), "cat", "/cvmfs/"+repo+"/big")
		if want := "open /cvmfs/" + repo + "/big: input/output error\n"; r.stdout != want {
			t.Errorf("harmed object (%v): %q; want %q", harm, clip(r.stdout), want)
		}
		log, err := os.ReadFile(filepath.Join(b.dir, ".cvmfsexec/log", repo+".log"))
		if err != nil || !strings.Contains(string(log), "/big") {
			t.Errorf("log: %v %q", err, log)
		}
	}
	t.Run("no server", func(t *testing.T) {
		p, err := describe().Publish(filepath.Join(t.TempDir(), "repo"))
		if err != nil {
			t.Fatal(err)
		}
		server := testrepo.Serve(t, p)
		d := builtinDist(server, map[string][]byte{repo: p.PublicKeyPEM})
		b := packBundle(t, d)
		server.Close()
		start := time.Now()
		r := b.run(repo, "--", probe(t))
		if r.code != 23 || !strings.HasPrefix(r.stderr, "cvmfsexec: error: mount "+repo) {
			t.Errorf("%d %q", r.code, r.stderr)
		}
		t.Logf("took %v", time.Since(start))
	})
}

func otherKey(t *testing.T) []byte {
	keys, err := testrepo.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	r := testrepo.New("another.example.org")
	r.Keys = keys
	p, err := r.Publish(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	return p.PublicKeyPEM
}

func clip(s string) string { return s[:min(len(s), 200)] }
