package trust

import (
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

func TestVerify(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*forge)
	}{
		{"plain", func(*forge) {}},
		{"letters hashed with SHAKE-128", func(f *forge) { f.alg = object.SHAKE128 }},
		{"letters hashed with RIPEMD-160", func(f *forge) { f.alg = object.RIPEMD160 }},
		{"fingerprint SHAKE-128", func(f *forge) {
			f.whitelist = strings.Replace(f.whitelist, fingerprint(object.SHA1, f.der), fingerprint(object.SHAKE128, f.der), 1)
		}},
		{"fingerprint RIPEMD-160", func(f *forge) {
			f.whitelist = strings.Replace(f.whitelist, fingerprint(object.SHA1, f.der), fingerprint(object.RIPEMD160, f.der), 1)
		}},
		{"second of several keys", func(f *forge) {
			f.keys = Keys{{"a", &otherKey().PublicKey}, {"b", &masterKey().PublicKey}}
		}},
		{"several fingerprints and comments", func(f *forge) {
			f.whitelist = strings.Replace(f.whitelist, "org\n", "org\n# comment\n\nno hash\n"+fingerprint(object.SHA1, []byte("x"))+"\n", 1)
		}},
		{"last hour", func(f *forge) { f.whitelist = strings.Replace(f.whitelist, "E20260801120000", "E20260715130000", 1) }},
		{"unknown fields", func(f *forge) { f.manifest += "Zone\nZtwo\nQ\n" }},
		{"blacklist of others", func(f *forge) {
			f.blacklist = new(Blacklist)
			f.blacklist.Add([]byte(fingerprint(object.SHA1, []byte("x")) + "\n<test.example.org 100\n"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newForge(t)
			tt.change(f)
			m, err := f.verify(t, Breadcrumb{})
			if err != nil {
				t.Fatal(err)
			}
			if m.Revision != 7 || m.Name != "test.example.org" || m.TTL != 240*time.Second || m.Known ||
				m.RootCatalog.String() != strings.Repeat("ab", 20) || m.RootSize != 1234 || m.Published.Unix() != 1752580000 ||
				m.History.String() != strings.Repeat("cd", 20) || !m.Collectable || m.AltPath {
				t.Errorf("manifest is %+v", m)
			}
			if diff := cmp.Diff(f.asked, []string{"certificate", "whitelist"}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func replace(old, new string) func(*forge) {
	return func(f *forge) { f.manifest = strings.Replace(f.manifest, old, new, 1) }
}

func replaceList(old, new string) func(*forge) {
	return func(f *forge) { f.whitelist = strings.Replace(f.whitelist, old, new, 1) }
}

func TestVerifyRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*forge)
		want   []error
	}{
		{"no root catalog", replace("C"+strings.Repeat("ab", 20)+"\n", ""), []error{ErrIncomplete}},
		{"no certificate", func(f *forge) {
			f.manifest = strings.Replace(f.manifest, "\nX", "\nQ", 1)
		}, []error{ErrIncomplete}},
		{"no revision", replace("S7\n", ""), []error{ErrIncomplete}},
		{"no root path", replace("R"+rootPath+"\n", ""), []error{ErrIncomplete}},
		{"no name", replace("Ntest.example.org\n", ""), []error{ErrIncomplete}},
		{"negative revision", replace("S7", "S-7"), []error{ErrIncomplete}},
		{"revision with rest", replace("S7", "S7 "), []error{ErrIncomplete}},
		{"huge size", replace("B1234", "B99999999999999999999"), []error{ErrIncomplete}},
		{"hash in upper case", replace("Cab", "CAB"), []error{ErrIncomplete}},
		{"MD5 root catalog", replace("C"+strings.Repeat("ab", 20), "C"+strings.Repeat("ab", 16)), []error{ErrIncomplete}},
		{"null root catalog", replace("C"+strings.Repeat("ab", 20), "C"+strings.Repeat("00", 20)), []error{ErrIncomplete}},
		{"MD5 letter", func(f *forge) { f.alg = object.MD5 }, []error{ErrIncomplete}},
		{"wrong name", replace("Ntest.", "Nother."), []error{ErrName}},
		{"wrong root path", replace("R"+rootPath, "R"+strings.Repeat("12", 16)), []error{ErrRootPath}},
		{"certificate is no PEM", func(f *forge) { f.cert = []byte("hello") }, []error{ErrBadCertificate}},
		{"certificate is a key", func(f *forge) {
			f.cert = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: f.der})
		}, []error{ErrBadCertificate}},
		{"certificate is damaged", func(f *forge) {
			f.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.der[:len(f.der)-1]})
		}, []error{ErrBadCertificate}},
		{"manifest signed by another", func(f *forge) { f.signer = otherKey() }, []error{ErrBadSignature}},
		{"manifest signed by the master key", func(f *forge) { f.signer = masterKey() }, []error{ErrBadSignature}},
		{"bytes after the signature", func(f *forge) { f.tail = "\n" }, []error{ErrBadSignature}},
		{"wrong master key", func(f *forge) { f.keys = Keys{{"x", &otherKey().PublicKey}} }, []error{ErrBadWhitelist, ErrWhitelistSignature}},
		{"no master key", func(f *forge) { f.keys = nil }, []error{ErrBadWhitelist, ErrWhitelistSignature}},
		{"whitelist signed by the certificate", func(f *forge) { f.master = signKey() }, []error{ErrBadWhitelist, ErrWhitelistSignature}},
		{"whitelist expired", replaceList("E2026080112", "E2026071411"), []error{ErrBadWhitelist, ErrWhitelistExpired}},
		{"whitelist expires within the hour", replaceList("E20260801120000", "E20260715125959"), []error{ErrBadWhitelist, ErrWhitelistExpired}},
		{"whitelist of another", replaceList("Ntest.", "Nother."), []error{ErrBadWhitelist, ErrWhitelistName}},
		{"whitelist without name", replaceList("Ntest.example.org\n", ""), []error{ErrBadWhitelist, ErrWhitelistMalformed}},
		{"whitelist without expiry", replaceList("E20260801120000\n", ""), []error{ErrBadWhitelist, ErrWhitelistMalformed}},
		{"whitelist with month 13", replaceList("E202608", "E202613"), []error{ErrBadWhitelist, ErrWhitelistMalformed}},
		{"whitelist without creation time", replaceList("20260701000000\n", "2026\n"), []error{ErrBadWhitelist, ErrWhitelistMalformed}},
		{"whitelist with unknown demand", replaceList("org\n", "org\nWmore\n"), []error{ErrBadWhitelist, ErrWhitelistMalformed}},
		{"PKCS#7 whitelist", replaceList("org\n", "org\nVpkcs7\n"), []error{ErrBadWhitelist, ErrWhitelistPKCS7}},
		{"chain demanded, none", replaceList("org\n", "org\nWcachain\n"), []error{ErrInvalidCertificate, ErrCAChain}},
		{"not listed", func(f *forge) {
			f.whitelist = strings.Replace(f.whitelist, fingerprint(object.SHA1, f.der), fingerprint(object.SHA1, []byte("x")), 1)
		}, []error{ErrInvalidCertificate, ErrNotListed}},
		{"listed as SHA-1 of another algorithm", func(f *forge) {
			f.whitelist = strings.Replace(f.whitelist, fingerprint(object.SHA1, f.der), fingerprint(object.SHA1, f.der)+"-SHAKE128", 1)
		}, []error{ErrInvalidCertificate, ErrNotListed}},
		{"listed in a comment", func(f *forge) {
			f.whitelist = strings.Replace(f.whitelist, fingerprint(object.SHA1, f.der), "#"+fingerprint(object.SHA1, f.der), 1)
		}, []error{ErrInvalidCertificate, ErrNotListed}},
		{"listed by MD5", func(f *forge) {
			f.whitelist = strings.Replace(f.whitelist, fingerprint(object.SHA1, f.der), fingerprint(object.MD5, f.der), 1)
		}, []error{ErrInvalidCertificate, ErrNotListed}},
		{"blacklisted", func(f *forge) {
			f.blacklist = new(Blacklist)
			f.blacklist.Add([]byte("# bad\n" + fingerprint(object.SHA1, f.der) + " # stolen\n"))
		}, []error{ErrInvalidCertificate, ErrBlacklisted}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newForge(t)
			before := f.manifest + f.whitelist
			tt.change(f)
			if strings.HasPrefix(tt.name, "whitelist without") && before == f.manifest+f.whitelist {
				t.Fatal("the case changes nothing")
			}
			_, err := f.verify(t, Breadcrumb{})
			for _, want := range append(tt.want, ErrRefused) {
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			}
		})
	}
}

func TestVerifyKnown(t *testing.T) {
	root, err := object.Parse(strings.Repeat("ab", 20))
	if err != nil {
		t.Fatal(err)
	}
	other := object.SHA1.Sum(nil)
	at := func(s int64) time.Time { return time.Unix(s, 0) }

	t.Run("older than known", func(t *testing.T) {
		if _, err := newForge(t).verify(t, Breadcrumb{Root: other, Published: at(1752580001)}); !errors.Is(err, ErrOutdated) {
			t.Errorf("got %v, want %v", err, ErrOutdated)
		}
	})
	t.Run("same time, other root", func(t *testing.T) {
		f := newForge(t)
		if m, err := f.verify(t, Breadcrumb{Root: other, Published: at(1752580000)}); err != nil || m.Known || len(f.asked) != 2 {
			t.Errorf("got %+v, %v after asking for %v", m, err, f.asked)
		}
	})
	t.Run("known root", func(t *testing.T) {
		// Nothing of a manifest that is not verified may be believed, but the root
		// that was believed before.
		f := newForge(t)
		f.signer, f.manifest = otherKey(), strings.Replace(f.manifest, "S7", "S99", 1)
		m, err := f.verify(t, Breadcrumb{Root: root, Published: at(1752570000), Revision: 6})
		if err != nil {
			t.Fatal(err)
		}
		if !m.Known || m.RootCatalog != root || m.Revision != 6 || m.Published.Unix() != 1752570000 || !m.History.IsNull() || len(f.asked) != 0 {
			t.Errorf("got %+v after asking for %v", m, f.asked)
		}
	})
	for _, what := range []string{"certificate", "whitelist"} {
		t.Run("no "+what, func(t *testing.T) {
			f := newForge(t)
			f.fail = map[string]error{what: errOffline}
			if _, err := f.verify(t, Breadcrumb{}); !errors.Is(err, errOffline) || errors.Is(err, ErrRefused) {
				t.Errorf("got %v, want %v", err, errOffline)
			}
		})
	}
}
