package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

func keyPEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	good := write(t, filepath.Join(dir, "b.pub"), keyPEM(t, &masterKey().PublicKey))
	good2 := write(t, filepath.Join(dir, "a.pub"), keyPEM(t, &otherKey().PublicKey))
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	elliptic := write(t, filepath.Join(dir, "ec"), keyPEM(t, &ec.PublicKey))
	junk := write(t, filepath.Join(dir, "junk"), []byte("junk"))
	big := write(t, filepath.Join(dir, "big"), make([]byte, maxFile+1))
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}

	paths, err := KeyPaths("", dir)
	if diff := cmp.Diff(paths, []string{good2, good}); err != nil || diff != "" {
		t.Errorf("keys directory: %v %s", err, diff)
	}
	paths, err = KeyPaths(good+":"+junk, dir)
	if diff := cmp.Diff(paths, []string{good, junk}); err != nil || diff != "" {
		t.Errorf("list: %v %s", err, diff)
	}
	for _, empty := range []string{t.TempDir(), dir + "/absent"} {
		if _, err := KeyPaths("", empty); !errors.Is(err, ErrKeys) {
			t.Errorf("KeyPaths of %q: %v, want %v", empty, err, ErrKeys)
		}
	}
	keys, err := LoadKeys([]string{good, good2})
	if err != nil || len(keys) != 2 || !keys[0].RSA.Equal(&masterKey().PublicKey) || !keys[1].RSA.Equal(&otherKey().PublicKey) {
		t.Errorf("LoadKeys: %v, %v", keys, err)
	}
	for _, bad := range []string{elliptic, junk, big, fifo, dir, dir + "/absent"} {
		if _, err := LoadKeys([]string{good, bad}); !errors.Is(err, ErrKeys) {
			t.Errorf("LoadKeys with %q: %v, want %v", bad, err, ErrKeys)
		}
	}
	if _, err := LoadKeys(nil); !errors.Is(err, ErrKeys) {
		t.Errorf("LoadKeys of nothing: %v", err)
	}
}

func TestBlacklist(t *testing.T) {
	dir := t.TempDir()
	a := write(t, filepath.Join(dir, "a"), []byte("# comment\n<test.example.org 5\n<other.example.org 9 # note\n<broken\n<test.example.org 3\n<x y z\nrubbish\n"))
	b := write(t, filepath.Join(dir, "b"), []byte(fingerprint(object.SHAKE128, []byte("cert"))+"\n"))
	l, err := LoadBlacklist(a, filepath.Join(dir, "absent"), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		revision uint64
		refused  bool
	}{
		{"test.example.org", 4, true}, {"test.example.org", 5, false}, {"other.example.org", 8, true},
		{"other.example.org", 9, false}, {"third.example.org", 0, false}, {"broken", 0, false},
	} {
		if err := l.CheckRevision(tt.name, tt.revision); errors.Is(err, ErrRevisionBlacklisted) != tt.refused {
			t.Errorf("%s revision %d: %v", tt.name, tt.revision, err)
		}
	}
	if !l.refusesCertificate([]byte("cert")) || l.refusesCertificate([]byte("other")) {
		t.Error("certificates are told apart wrongly")
	}
	if _, err := LoadBlacklist(dir); err == nil {
		t.Error("a directory was read as a blacklist")
	}
	var none *Blacklist
	if none.CheckRevision("x", 0) != nil || none.refusesCertificate(nil) {
		t.Error("nil blacklist refuses")
	}
}

func TestBreadcrumb(t *testing.T) {
	sha := strings.Repeat("ab", 20)
	for _, tt := range []struct {
		text string
		want Breadcrumb
		ok   bool
	}{
		{sha + "T1752580000R7", Breadcrumb{mustParse(t, sha), time.Unix(1752580000, 0).UTC(), 7}, true},
		{sha + "-shake128T5", Breadcrumb{mustParse(t, sha+"-shake128"), time.Unix(5, 0).UTC(), 0}, true},
		{sha, Breadcrumb{}, false},
		{"", Breadcrumb{}, false},
		{sha + "T", Breadcrumb{}, false},
		{sha + "T0", Breadcrumb{}, false},
		{sha + "T-5", Breadcrumb{}, false},
		{sha + "T5R", Breadcrumb{}, false},
		{sha + "T5Rx", Breadcrumb{}, false},
		{sha + "T5\n", Breadcrumb{}, false},
		{strings.Repeat("0", 40) + "T5", Breadcrumb{}, false},
		{sha[:32] + "T5", Breadcrumb{}, false},
	} {
		got, err := ParseBreadcrumb(tt.text)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("ParseBreadcrumb(%q) = %v, %v", tt.text, got, err)
		}
		if !tt.ok && !errors.Is(err, ErrBreadcrumb) {
			t.Errorf("ParseBreadcrumb(%q): %v", tt.text, err)
		}
	}
}

func mustParse(t *testing.T, text string) object.Hash {
	t.Helper()
	h, err := object.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
