package testrepo

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The fixtures come from the real server tools: what they have in common with what
// this package writes is what a repository must have.

// splitLetter parses a letter as bluntly as possible.
func splitLetter(t *testing.T, file string) (lines []string, text []byte, hash string, sig []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, rest, ok := bytes.Cut(data, []byte("--\n"))
	h, sig, ok2 := bytes.Cut(rest, []byte("\n"))
	if !ok || !ok2 {
		t.Fatalf("%s is no letter", file)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), text, string(h), sig
}

func algorithmOf(hash string) Algorithm {
	for _, a := range []Algorithm{RIPEMD160, SHAKE128} {
		if strings.HasSuffix(hash, a.suffix()) {
			return a
		}
	}
	return SHA1
}

func value(lines []string, letter string) string {
	for _, l := range lines {
		if strings.HasPrefix(l, letter) {
			return l[1:]
		}
	}
	return ""
}

// checkTrust verifies both letters of a tree with the standard library alone.
func checkTrust(t *testing.T, dir string, keyPEM []byte) (manifest, whitelist []string) {
	t.Helper()
	block, _ := pem.Decode(keyPEM)
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	whitelist, text, hash, sig := splitLetter(t, filepath.Join(dir, ".cvmfswhitelist"))
	algo := algorithmOf(hash)
	if got := algo.text(algo.sum(text)); got != hash {
		t.Errorf("whitelist says hash %s, is %s", hash, got)
	}
	if err := rsa.VerifyPKCS1v15(pub.(*rsa.PublicKey), crypto.Hash(0), []byte(hash), sig); err != nil {
		t.Errorf("whitelist: %v", err)
	}
	manifest, text, hash, sig = splitLetter(t, filepath.Join(dir, ".cvmfspublished"))
	if got := algo.text(algo.sum(text)); got != hash {
		t.Errorf("manifest says hash %s, is %s", hash, got)
	}
	x := value(manifest, "X")
	block, _ = pem.Decode(inflateObject(t, dir, Object{Hash: x, Kind: 'X'}))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	d := sha1.Sum([]byte(hash))
	if err := rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA1, d[:], sig); err != nil {
		t.Errorf("manifest: %v", err)
	}
	if got := algo.fingerprint(block.Bytes); got != whitelist[3] {
		t.Errorf("fingerprint %s, whitelist has %s", got, whitelist[3])
	}
	return manifest, whitelist
}

func inflateObject(t *testing.T, dir string, o Object) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, o.Path()))
	if err != nil {
		t.Fatal(err)
	}
	if a := algorithmOf(o.Hash); a.text(a.sum(raw)) != o.Hash {
		t.Errorf("object %s has another hash", o.Path())
	}
	_, data := openCatalog(t, dir, o.Path())
	return data
}

// form reduces a line to its shape: runs of digits and hex become one mark each.
func form(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		l = regexp.MustCompile(`[0-9a-f]{40}`).ReplaceAllString(l, "<hash>")
		l = regexp.MustCompile(`([0-9A-F]{2}:){19}[0-9A-F]{2}`).ReplaceAllString(l, "<fingerprint>")
		l = regexp.MustCompile(`[0-9]{14}`).ReplaceAllString(l, "<stamp>")
		l = regexp.MustCompile(`^([A-Z])[0-9]+$`).ReplaceAllString(l, "$1<n>")
		out[i] = regexp.MustCompile(`^N.*`).ReplaceAllString(l, "N<fqrn>")
	}
	return out
}

func TestLettersAreLikeTheFixtures(t *testing.T) {
	for _, tt := range []struct {
		fixture string
		algo    Algorithm
	}{{"small.example.org", SHA1}, {"shake.example.org", SHAKE128}} {
		t.Run(tt.fixture, func(t *testing.T) {
			dir, key, _ := Fixture(t, tt.fixture)
			theirManifest, theirWhitelist := checkTrust(t, dir, key)
			r := everything()
			r.Hash = tt.algo
			r.Tags, r.Metainfo = []Tag{{Name: "trunk"}}, "{}"
			p := publish(t, r)
			manifest, whitelist := checkTrust(t, p.Dir, p.PublicKeyPEM)
			var want []string
			for _, l := range form(theirManifest) {
				switch l[0] {
				case 'Y': // the reflog, which only server tools read
				case 'G':
					want = append(want, "Gno")
				default:
					want = append(want, l)
				}
			}
			if d := cmp.Diff(want, form(manifest)); d != "" {
				t.Errorf("manifest (-fixture +ours):\n%s", d)
			}
			if d := cmp.Diff(form(theirWhitelist), form(whitelist)); d != "" {
				t.Errorf("whitelist (-fixture +ours):\n%s", d)
			}
		})
	}
}

// dump returns what defines a catalog: the schema, the keys of properties and
// statistics, the storage classes of the catalog's columns.
func dump(t *testing.T, db *sql.DB, data []byte) map[string][]string {
	t.Helper()
	out := map[string][]string{"header": {fmt.Sprintf("%x %x", data[16:24], data[44:60])}}
	for name, q := range map[string]string{
		"schema":     "SELECT type||'|'||name||'|'||ifnull(sql,'') FROM sqlite_master",
		"properties": "SELECT key FROM properties ORDER BY key",
		"statistics": "SELECT counter||typeof(value) FROM statistics ORDER BY counter",
		"nested":     "SELECT DISTINCT typeof(path)||typeof(sha1)||typeof(size)||length(sha1) FROM nested_catalogs",
		"schema no":  "SELECT value FROM properties WHERE key LIKE 'schema%' ORDER BY key",
		"dir types": `SELECT DISTINCT typeof(md5path_1)||typeof(parent_1)||typeof(hardlinks)||typeof(hash)||typeof(size)||typeof(mode)||typeof(mtime)||
			typeof(flags)||typeof(name)||typeof(symlink)||typeof(uid)||typeof(xattr) FROM catalog WHERE flags = 1`,
		"file types": `SELECT DISTINCT typeof(md5path_1)||typeof(parent_1)||typeof(hardlinks)||typeof(hash)||length(hash)||typeof(size)||typeof(mode)||
			typeof(mtime)||typeof(flags)||typeof(name)||typeof(symlink)||typeof(uid)||typeof(xattr) FROM catalog WHERE flags = 4 AND xattr IS NULL`,
		"chunk types": "SELECT DISTINCT typeof(offset)||typeof(size)||typeof(hash)||length(hash) FROM chunks",
		"flags":       "SELECT DISTINCT flags||'|'||(mode/4096) FROM catalog WHERE flags IN (1,3,4,12,68) ORDER BY flags",
		"root":        "SELECT parent_1||'|'||parent_2||'|'||name||'|'||md5path_1||'|'||md5path_2 FROM catalog WHERE name = ''",
	} {
		rows, err := db.Query(q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out[name] = append(out[name], s)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestCatalogIsLikeTheFixture(t *testing.T) {
	dir, key, _ := Fixture(t, "small.example.org")
	m, _ := checkTrust(t, dir, key)
	db, data := openCatalog(t, dir, Object{Hash: value(m, "C"), Kind: 'C'}.Path())
	theirs := dump(t, db, data)
	p := publish(t, everything())
	db, data = openCatalog(t, p.Dir, p.Root.Path())
	if d := cmp.Diff(theirs, dump(t, db, data)); d != "" {
		t.Errorf("catalog (-fixture +ours):\n%s", d)
	}
}

// TestNestedRowsAreLikeTheFixture publishes a nested catalog of the fixture again
// and compares the rows of both.
func TestNestedRowsAreLikeTheFixture(t *testing.T) {
	dir, _, _ := Fixture(t, "small.example.org")
	const nested = "2bc54a3083b2512c12b005356cbcb70a7cc01546" // sw/2.0/plug of the fixture
	db, _ := openCatalog(t, dir, Object{Hash: nested, Kind: 'C'}.Path())
	theirs := rowsOf(t, db)

	r := New("small.example.org")
	r.File("sw/2.0/plug/.cvmfscatalog", "")
	r.File("sw/2.0/plug/data", string(make([]byte, 5000)))
	r.Nested("sw/2.0")
	r.Nested("sw/2.0/plug")
	p := publish(t, r)
	db, _ = openCatalog(t, p.Dir, p.Catalogs["/sw/2.0/plug"].Path())
	ours := rowsOf(t, db)
	if len(theirs) != 3 || len(ours) != 3 {
		t.Fatalf("%d and %d rows, want 3", len(theirs), len(ours))
	}
	for _, name := range []string{"plug", ".cvmfscatalog"} {
		if d := cmp.Diff(theirs[name], ours[name]); d != "" {
			t.Errorf("%s (-fixture +ours):\n%s", name, d)
		}
	}
	parent, _ := openCatalog(t, p.Dir, p.Catalogs["/sw/2.0"].Path())
	var path, hash string
	var size int64
	if err := parent.QueryRow("SELECT * FROM nested_catalogs").Scan(&path, &hash, &size); err != nil {
		t.Fatal(err)
	}
	if c := p.Catalogs["/sw/2.0/plug"]; path != "/sw/2.0/plug" || hash != c.Hash || size != c.Size {
		t.Errorf("parent lists %s %s %d, want the catalog %+v", path, hash, size, c)
	}
}

// rowsOf returns by name what does not depend on the time of publication.
func rowsOf(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	rows, err := db.Query(`SELECT name, md5path_1||'|'||md5path_2||'|'||parent_1||'|'||parent_2||'|'||hardlinks||'|'||
		ifnull(hex(hash),'-')||'|'||size||'|'||mode||'|'||flags||'|'||symlink||'|'||uid||'|'||gid||'|'||ifnull(hex(xattr),'-') FROM catalog`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var k, v string
		if err := rows.Scan(&k, &v); err != nil {
			t.Fatal(err)
		}
		out[k] = v
	}
	return out
}
