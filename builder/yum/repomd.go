package yum

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
)

// MaxRepomd bounds the size of repomd.xml, in bytes.
const MaxRepomd = 4 << 20

// maxData bounds the number of files that repomd.xml lists.
const maxData = 256

// A Checksum is a digest with the name of its algorithm.
type Checksum struct {
	Type string // "sha256", "sha512", "sha384", "sha224" or "sha" (SHA-1)
	Hex  string // lower case
}

// parseChecksum accepts the algorithms that rpm-md metadata uses today. MD5 is
// refused. SHA-1 is taken, as dnf does, because old repositories have nothing else
// and a second preimage is not known; new ones do not use it.
func parseChecksum(kind, text string) (Checksum, error) {
	kind, text = strings.ToLower(strings.TrimSpace(kind)), strings.ToLower(strings.TrimSpace(text))
	if kind == "sha1" {
		kind = "sha"
	}
	c := Checksum{kind, text}
	h := c.New()
	if h == nil {
		return Checksum{}, fmt.Errorf("checksum type %q is not accepted: the repository must use sha256 or sha512", clip(kind))
	}
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != h.Size() {
		return Checksum{}, fmt.Errorf("%q is not a %s checksum", clip(text), kind)
	}
	return c, nil
}

// New returns a hash of the checksum's algorithm, nil for one that is not accepted.
func (c Checksum) New() hash.Hash {
	switch c.Type {
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	case "sha384":
		return sha512.New384()
	case "sha224":
		return sha256.New224()
	case "sha":
		return sha1.New()
	}
	return nil
}

// IsZero reports whether there is no checksum.
func (c Checksum) IsZero() bool { return c == Checksum{} }

// Data is one entry of repomd.xml: a metadata file.
type Data struct {
	Type         string // "primary", "filelists", ...
	Href         string // relative to the base URL
	Checksum     Checksum
	OpenChecksum Checksum // of the decompressed file; may be zero
	Size         int64    // -1 when not given
	OpenSize     int64    // of the decompressed file, -1 when not given
}

// ParseRepomd reads repomd.xml and returns the entry of the primary metadata.
func ParseRepomd(r io.Reader) (Data, error) {
	s := newScanner(r)
	var found []Data
	count := 0
	for {
		ev, err := s.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Data{}, err
		}
		if ev != startElement {
			continue
		}
		switch {
		case s.depth() == 1 && s.name != "repomd":
			return Data{}, malformed("the document is a <%s>, not a <repomd>", clip(s.name))
		case s.depth() == 2 && s.name == "data":
			if count++; count > maxData {
				return Data{}, malformed("more than %d metadata files", maxData)
			}
			kind := s.attr("type")
			d, err := parseData(s, kind)
			if err != nil {
				return Data{}, err
			}
			if kind == "primary" {
				found = append(found, d)
			}
		}
	}
	if len(found) != 1 {
		return Data{}, fmt.Errorf("repomd.xml lists %d primary metadata files, not one", len(found))
	}
	return found[0], nil
}

// parseData reads the rest of a <data> element. Entries that nobody reads may hold
// what they like.
func parseData(s *scanner, kind string) (Data, error) {
	d := Data{Type: kind, Size: -1, OpenSize: -1}
	var sumType string
	for {
		ev, err := s.next()
		if err != nil {
			return d, err
		}
		switch {
		case ev == endElement && s.depth() == 1:
			if kind == "primary" {
				return d, d.check()
			}
			return d, nil
		case ev == startElement && s.depth() == 3:
			s.keep = true
			switch s.name {
			case "location":
				if d.Href = s.attr("href"); kind == "primary" && s.attr("xml:base") != "" {
					return d, fmt.Errorf("the location of the primary metadata has an xml:base, which is not followed")
				}
			case "checksum", "open-checksum":
				sumType = s.attr("type")
			}
		case ev == endElement && s.depth() == 2 && kind == "primary":
			if err := d.set(s.name, sumType, string(s.text)); err != nil {
				return d, err
			}
		}
	}
}

func (d *Data) set(name, sumType, text string) (err error) {
	switch name {
	case "checksum":
		d.Checksum, err = parseChecksum(sumType, text)
	case "open-checksum":
		d.OpenChecksum, err = parseChecksum(sumType, text)
	case "size":
		d.Size, err = parseSize(text)
	case "open-size":
		d.OpenSize, err = parseSize(text)
	}
	return err
}

func (d *Data) check() error {
	if d.Checksum.IsZero() {
		return fmt.Errorf("repomd.xml gives no checksum of the primary metadata")
	}
	if d.Size > MaxPrimary || d.OpenSize > MaxOpenPrimary {
		return fmt.Errorf("the primary metadata is larger than %d bytes", int64(MaxOpenPrimary))
	}
	return CheckHref(d.Href)
}

func parseSize(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a size", clip(text))
	}
	return n, nil
}
