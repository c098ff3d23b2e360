package yum

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

func (s *scanner) start(tag []byte) (event, error) {
	if tag[len(tag)-1] == '/' {
		s.empty, tag = true, tag[:len(tag)-1]
	}
	n := bytes.IndexAny(tag, " \t\r\n")
	if n < 0 {
		n = len(tag)
	}
	name, err := s.intern(tag[:n])
	if err != nil {
		return 0, err
	}
	if err := s.parseAttrs(tag[n:]); err != nil {
		return 0, err
	}
	if len(s.stack) >= maxDepth {
		return 0, malformed("elements are nested deeper than %d", maxDepth)
	}
	s.name, s.keep, s.text = name, false, s.text[:0]
	s.stack = append(s.stack, name)
	return startElement, nil
}

func (s *scanner) end(name string) (event, error) {
	if len(s.stack) == 0 || s.stack[len(s.stack)-1] != name {
		return 0, malformed("unexpected end of element %q", clip(name))
	}
	s.stack = s.stack[:len(s.stack)-1]
	text, err := unescape(s.text)
	if err != nil {
		return 0, err
	}
	s.name, s.text, s.keep = name, text, false
	return endElement, nil
}

func (s *scanner) parseAttrs(b []byte) error {
	s.attrs = s.attrs[:0]
	for {
		b = bytes.TrimLeft(b, " \t\r\n")
		if len(b) == 0 {
			return nil
		}
		key, rest, ok := bytes.Cut(b, []byte("="))
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if !ok || len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' {
			return malformed("an attribute without a quoted value")
		}
		stop := bytes.IndexByte(rest[1:], rest[0])
		if stop < 0 {
			return malformed("an attribute without an end")
		}
		name, err := s.intern(bytes.TrimRight(key, " \t\r\n"))
		if err != nil {
			return err
		}
		value, err := unescape(bytes.Clone(rest[1 : 1+stop]))
		if err != nil {
			return err
		}
		if bytes.IndexByte(rest[1:1+stop], '<') >= 0 {
			return malformed("a < in an attribute")
		}
		s.attrs = append(s.attrs, attribute{name, string(value)})
		b = rest[stop+2:]
	}
}

// intern checks a name and returns it as a string, the same one for equal names.
func (s *scanner) intern(b []byte) (string, error) {
	if name, ok := s.names[string(b)]; ok {
		return name, nil
	}
	if len(b) == 0 || len(b) > 256 || bytes.ContainsAny(b, "\"'<>&=/ \t\r\n") {
		return "", malformed("%q is not a name", clip(string(b)))
	}
	name := string(b)
	if len(s.names) < 1000 {
		s.names[name] = name
	}
	return name, nil
}

// unescape resolves entities, in place.
func unescape(b []byte) ([]byte, error) {
	i := bytes.IndexByte(b, '&')
	if i < 0 {
		return b, nil
	}
	out := b[:i]
	for b = b[i:]; len(b) > 0; {
		if b[0] != '&' {
			out, b = append(out, b[0]), b[1:]
			continue
		}
		n := bytes.IndexByte(b[:min(len(b), 12)], ';')
		if n < 0 {
			return nil, malformed("an & that begins no entity")
		}
		r, err := entity(string(b[1:n]))
		if err != nil {
			return nil, err
		}
		out, b = utf8.AppendRune(out, r), b[n+1:]
	}
	return out, nil
}

func entity(name string) (rune, error) {
	switch name {
	case "amp":
		return '&', nil
	case "lt":
		return '<', nil
	case "gt":
		return '>', nil
	case "quot":
		return '"', nil
	case "apos":
		return '\'', nil
	}
	var n uint64
	err := errXML
	if len(name) > 2 && name[:2] == "#x" {
		n, err = strconv.ParseUint(name[2:], 16, 32)
	} else if len(name) > 1 && name[0] == '#' {
		n, err = strconv.ParseUint(name[1:], 10, 32)
	}
	if err != nil || n == 0 || !utf8.ValidRune(rune(n)) {
		return 0, malformed("unknown entity %q", clip(name))
	}
	return rune(n), nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return fmt.Errorf("%w: the document ends too early: %w", errXML, io.ErrUnexpectedEOF)
	}
	return err
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
