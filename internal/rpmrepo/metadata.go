package rpmrepo

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
)

// What of the two documents readers need, in the names that createrepo_c writes.
type (
	metadata struct {
		XMLName  xml.Name       `xml:"metadata"`
		NS       string         `xml:"xmlns,attr"`
		RPM      string         `xml:"xmlns:rpm,attr"`
		Count    int            `xml:"packages,attr"`
		Packages []packageEntry `xml:"package"`
	}
	packageEntry struct {
		Type     string       `xml:"type,attr"`
		Name     string       `xml:"name"`
		Arch     string       `xml:"arch"`
		Version  versionEntry `xml:"version"`
		Checksum checksum     `xml:"checksum"`
		Summary  string       `xml:"summary"`
		Size     size         `xml:"size"`
		Location location     `xml:"location"`
	}
	versionEntry struct {
		Epoch   uint32 `xml:"epoch,attr"`
		Version string `xml:"ver,attr"`
		Release string `xml:"rel,attr"`
	}
	checksum struct {
		Type  string `xml:"type,attr"`
		PkgID string `xml:"pkgid,attr,omitempty"`
		Hex   string `xml:",chardata"`
	}
	size struct {
		Package int64 `xml:"package,attr"`
	}
	location struct {
		Href string `xml:"href,attr"`
	}
	repomd struct {
		XMLName  xml.Name  `xml:"repomd"`
		NS       string    `xml:"xmlns,attr"`
		Revision int64     `xml:"revision"`
		Data     dataEntry `xml:"data"`
	}
	dataEntry struct {
		Type         string   `xml:"type,attr"`
		Checksum     checksum `xml:"checksum"`
		OpenChecksum checksum `xml:"open-checksum"`
		Location     location `xml:"location"`
		Timestamp    int64    `xml:"timestamp"`
		Size         int      `xml:"size"`
		OpenSize     int      `xml:"open-size"`
	}
)

func digest(data []byte) checksum {
	return checksum{Type: "sha256", Hex: fmt.Sprintf("%x", sha256.Sum256(data))}
}

func writeMetadata(dir string, packages []Package) error {
	m := metadata{NS: "http://linux.duke.edu/metadata/common", RPM: "http://linux.duke.edu/metadata/rpm", Count: len(packages)}
	for _, p := range packages {
		data, err := os.ReadFile(filepath.Join(dir, p.location()))
		if err != nil {
			return err
		}
		sum := digest(data)
		sum.PkgID = "YES"
		m.Packages = append(m.Packages, packageEntry{
			Type: "rpm", Name: p.Name, Arch: p.Arch, Version: versionEntry{p.Epoch, p.Version, p.Release},
			Checksum: sum, Summary: p.Name, Size: size{int64(len(data))}, Location: location{p.location()},
		})
	}
	open, err := document(m)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(open); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	sum := digest(packed.Bytes())
	d := dataEntry{
		Type: "primary", Checksum: sum, OpenChecksum: digest(open),
		Location: location{"repodata/" + sum.Hex + "-primary.xml.gz"}, Timestamp: buildTime.Unix(),
		Size: packed.Len(), OpenSize: len(open),
	}
	index, err := document(repomd{NS: "http://linux.duke.edu/metadata/repo", Revision: buildTime.Unix(), Data: d})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "repodata"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, d.Location.Href), packed.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "repodata/repomd.xml"), index, 0o644)
}

func document(v any) ([]byte, error) {
	text, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}
