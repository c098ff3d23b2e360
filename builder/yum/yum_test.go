package yum

import (
	"encoding/xml"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cvmfsbundle/cvmfsbundle/internal/evr"
)

const sum256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

const repomdText = `<?xml version="1.0" encoding="UTF-8"?>
<!-- made <by> hand -->
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>1700000000</revision>
  <data type="filelists"><location href="../x" xml:base="http://h/"/><checksum type="md5">no</checksum></data>
  <data type="primary">
    <checksum type="sha256">` + sum256 + `</checksum>
    <open-checksum type="sha">da39a3ee5e6b4b0d3255bfef95601890afd80709</open-checksum>
    <location href="repodata/a%20b&amp;c-primary.xml.gz"/>
    <size>12</size>
    <open-size>34</open-size>
  </data>
</repomd>
`

const primaryText = `<?xml version='1.0'?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="3">
<package type="rpm">
  <name>cvmfs</name><arch>x86_64</arch><version epoch="1" ver="2.12.6" rel="1.el9"/>
  <checksum type="sha256" pkgid="YES">` + sum256 + `</checksum>
  <description><![CDATA[a <tag> & more]]> &lt;/package&gt; &#65;</description>
  <size package="100" installed="200" archive="300"/>
  <location href="Packages/c/cvmfs-2.12.6-1.el9.x86_64.rpm"/>
  <format><rpm:provides><rpm:entry name="name" flags="EQ" epoch="9" ver="9" rel="9"/></rpm:provides>
    <file>/usr/bin/cvmfs2</file><name>not-this</name></format>
</package>
<package type="rpm"><name>other</name><arch>?</arch></package>
<package type="srpm"><name>cvmfs</name></package>
</metadata>`

func TestRepomd(t *testing.T) {
	got, err := ParseRepomd(strings.NewReader(repomdText))
	if err != nil {
		t.Fatal(err)
	}
	want := Data{
		Type: "primary", Href: "repodata/a%20b&c-primary.xml.gz", Checksum: Checksum{"sha256", sum256},
		OpenChecksum: Checksum{"sha", "da39a3ee5e6b4b0d3255bfef95601890afd80709"}, Size: 12, OpenSize: 34,
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
}

func TestPrimary(t *testing.T) {
	got, err := ParsePrimary(strings.NewReader(primaryText), func(name string) bool { return name == "cvmfs" })
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{{
		Name: "cvmfs", EVR: evr.EVR{Epoch: 1, Version: "2.12.6", Release: "1.el9"}, Arch: "x86_64",
		Checksum: Checksum{"sha256", sum256}, Size: 100, Href: "Packages/c/cvmfs-2.12.6-1.el9.x86_64.rpm",
	}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	if got := want[0].NEVRA(); got != "cvmfs-1:2.12.6-1.el9.x86_64" {
		t.Errorf("got %s", got)
	}
}

func TestHostileXML(t *testing.T) {
	deep := strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000)
	for name, text := range map[string]string{
		"document type":    `<!DOCTYPE a [<!ENTITY b "c">]><metadata>&b;</metadata>`,
		"own entity":       strings.Replace(primaryText, "<name>cvmfs", "<name>cvmfs&b;", 1),
		"nul reference":    strings.Replace(primaryText, `href="P`, `href="&#0;P`, 1),
		"depth":            "<metadata>" + deep + "</metadata>",
		"huge tag":         `<metadata a="` + strings.Repeat("x", maxTag) + `">`,
		"huge name":        "<metadata><" + strings.Repeat("x", 300) + "/></metadata>",
		"huge text":        `<metadata><package type="rpm"><name>` + strings.Repeat("x", maxText+1) + `</name></package></metadata>`,
		"huge cdata":       `<metadata><package type="rpm"><name><![CDATA[` + strings.Repeat("x", maxText+2) + `]]></name></package></metadata>`,
		"wrong end":        "<metadata><package></metadata></package>",
		"two ends":         "<metadata></metadata></metadata>",
		"cut":              primaryText[:len(primaryText)-20],
		"cut in a tag":     "<metadata><pack",
		"cut in a comment": "<metadata><!-- ",
		"text outside":     "<metadata></metadata>x",
		"no quotes":        "<metadata a=b></metadata>",
		"no value":         "<metadata a></metadata>",
		"empty tag":        "<>",
		"other document":   "<html></html>",
		"a tag in a value": `<metadata a="<b>"></metadata>`,
		"no size":          strings.Replace(primaryText, "<size", "<sice", 1),
		"no checksum":      strings.ReplaceAll(primaryText, "checksum", "checksam"),
		"name with slash":  strings.Replace(primaryText, ">x86_64<", ">../x<", 1),
		"location":         strings.Replace(primaryText, `href="Packages/c/`, `href="Packages/../../`, 1),
		"epoch":            strings.Replace(primaryText, `epoch="1"`, `epoch="-1"`, 1),
		"md5":              strings.Replace(primaryText, `type="sha256"`, `type="md5"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParsePrimary(strings.NewReader(text), func(string) bool { return true }); err == nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestHostileRepomd(t *testing.T) {
	for name, change := range map[string][2]string{
		"no primary":      {`type="primary"`, `type="primary_db"`},
		"two primaries":   {`type="filelists"`, `type="primary"`},
		"base":            {`<location href="repodata`, `<location xml:base="http://h/" href="repodata`},
		"absolute":        {`href="repodata`, `href="/repodata`},
		"scheme":          {`href="repodata`, `href="http://h/repodata`},
		"md5":             {`type="sha256"`, `type="md5"`},
		"no checksum":     {`<checksum type="sha256">` + sum256 + `</checksum>`, ""},
		"short checksum":  {sum256, sum256[2:]},
		"negative size":   {"<size>12", "<size>-1"},
		"too large":       {"<open-size>34", "<open-size>34000000000"},
		"another root":    {"<repomd", "<repo"},
		"an end too many": {"</repomd>", "</repomd></repomd>"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(repomdText, change[0], change[1], 1)
			if text == repomdText {
				t.Fatal("nothing changed")
			}
			if got, err := ParseRepomd(strings.NewReader(text)); err == nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestMemory: a document of 200 MB takes no more memory than a small one.
func TestMemory(t *testing.T) {
	body := strings.Repeat(strings.Replace(primaryText[strings.Index(primaryText, "<package"):strings.Index(primaryText, "<package type=\"srpm")], "cvmfs<", "unwanted<", 1), 200)
	parts := []io.Reader{strings.NewReader("<metadata>")}
	n := 0
	for n < 100<<20 {
		parts = append(parts, strings.NewReader(body))
		n += len(body)
	}
	parts = append(parts, strings.NewReader("</metadata>"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := ParsePrimary(io.MultiReader(parts...), func(name string) bool { return name == "nothing" })
	runtime.ReadMemStats(&after)
	if err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
	if grown := int64(after.Sys) - int64(before.Sys); grown > 64<<20 {
		t.Errorf("took %d MB", grown>>20)
	}
}

func TestHref(t *testing.T) {
	for _, bad := range []string{
		"", "/x", "..", "../x", "a/../x", "a/..", "a/%2e%2e/x", "%2e%2E/x", "a\\b", "%2fetc", "http://h/x", "x?y", "x#y",
		"a\nb", "a%00b", "file:///x", strings.Repeat("x", 5000),
	} {
		if err := CheckHref(bad); err == nil {
			t.Errorf("%q was accepted", clip(bad))
		}
	}
	for href, want := range map[string]string{
		"repodata/x.gz":     "https://h/base/repodata/x.gz",
		"./Packages/a.rpm":  "https://h/base/Packages/a.rpm",
		"a b^c~d+e.rpm":     "https://h/base/a%20b%5Ec~d+e.rpm",
		"a%20b.rpm":         "https://h/base/a%20b.rpm",
		"100%.rpm":          "https://h/base/100%25.rpm",
		"a..b/...rpm":       "https://h/base/a..b/...rpm",
		"gtk+:2.rpm":        "https://h/base/gtk+:2.rpm",
		"sub/dir//file.rpm": "https://h/base/sub/dir/file.rpm",
	} {
		if got, err := Resolve("https://h/base", href); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", href, got, err, want)
		}
	}
}

func TestNewest(t *testing.T) {
	p := func(version, release, arch string) Package {
		return Package{Name: "x", EVR: evr.EVR{Version: version, Release: release}, Arch: arch, Href: version + release + arch}
	}
	pkgs := []Package{
		p("2.9.0", "9", "x86_64"), p("2.10.0", "1", "x86_64"), p("2.10.0", "2", "x86_64"), p("2.10.0", "2", "noarch"),
		p("2.11.0~rc1", "1", "x86_64"), p("3.0", "1", "aarch64"), {Name: "y", EVR: evr.EVR{Version: "9"}, Arch: "x86_64"},
	}
	for _, tt := range []struct{ version, arch, want string }{
		{"", "x86_64", "2.11.0~rc11x86_64"},
		{"2.10.0", "x86_64", "2.10.02x86_64"},
		{"2.10.0-1", "x86_64", "2.10.01x86_64"},
		{"2.10.0", "ppc64le", "2.10.02noarch"},
		{"", "aarch64", "3.01aarch64"},
		{"2.1", "x86_64", ""},
		{"2.10.0-3", "x86_64", ""},
	} {
		got, ok := Newest(pkgs, "x", tt.arch, tt.version)
		if got.Href != tt.want || ok != (tt.want != "") {
			t.Errorf("%q %s: got %q, want %q", tt.version, tt.arch, got.Href, tt.want)
		}
	}
}

func FuzzParsePrimary(f *testing.F) {
	f.Add([]byte(primaryText))
	f.Add([]byte(`<metadata><package type="rpm"><name>&#x1F600;</name></package></metadata>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		pkgs, err := ParsePrimary(strings.NewReader(string(data)), func(string) bool { return true })
		if err != nil {
			return
		}
		for _, p := range pkgs {
			if u, err := Resolve("http://h/b", p.Href); err != nil || !strings.HasPrefix(u, "http://h/b") {
				t.Errorf("location %q: %q, %v", p.Href, u, err)
			}
		}
	})
}

func FuzzParseRepomd(f *testing.F) {
	f.Add([]byte(repomdText))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseRepomd(strings.NewReader(string(data)))
		if err == nil && (d.Checksum.New() == nil || CheckHref(d.Href) != nil) {
			t.Errorf("got %+v", d)
		}
	})
}

// FuzzScanner holds the scanner against encoding/xml: what both accept has the same
// elements, attributes and depth.
func FuzzScanner(f *testing.F) {
	f.Add([]byte(primaryText))
	f.Add([]byte(repomdText))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := scanAll(data)
		if err != nil {
			return
		}
		d := xml.NewDecoder(strings.NewReader(string(data)))
		var want []string
		for {
			tok, err := d.RawToken()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return
			}
			switch e := tok.(type) {
			case xml.StartElement:
				s := "<" + rawName(e.Name)
				for _, a := range e.Attr {
					s += " " + rawName(a.Name) + "=" + a.Value
				}
				want = append(want, s)
			case xml.EndElement:
				want = append(want, "/"+rawName(e.Name))
			}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%q: %s", data, diff)
		}
	})
}

func rawName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

func scanAll(data []byte) ([]string, error) {
	s := newScanner(strings.NewReader(string(data)))
	var out []string
	for {
		ev, err := s.next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if ev == endElement {
			out = append(out, "/"+s.name)
			continue
		}
		e := "<" + s.name
		for _, a := range s.attrs {
			e += " " + a.name + "=" + a.value
		}
		out = append(out, e)
	}
}

func BenchmarkParsePrimary(b *testing.B) {
	body := "<metadata>" + strings.Repeat(primaryText[strings.Index(primaryText, "<package"):strings.Index(primaryText, "<package type=\"srpm")], 2000) + "</metadata>"
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := ParsePrimary(strings.NewReader(body), func(name string) bool { return name == "x" }); err != nil {
			b.Fatal(err)
		}
	}
}
