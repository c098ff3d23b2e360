package yum

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// Limits of one document. What is longer is refused, not cut.
const (
	maxTag   = 64 << 10 // bytes of one tag with its attributes
	maxText  = 64 << 10 // bytes of a text that is kept
	maxDepth = 32
)

// errXML is wrapped by every complaint about the form of a document.
var errXML = errors.New("malformed XML")

type event int

const (
	startElement event = iota
	endElement
)

type attribute struct{ name, value string }

// scanner reads the little of XML that repository metadata consists of: elements,
// attributes, text, the five predefined entities and character references. Comments
// and processing instructions are skipped; a document type, and with it every
// entity of a document's own, is refused. Memory is bounded by the limits above.
type scanner struct {
	r     *bufio.Reader
	buf   []byte
	stack []string
	names map[string]string // interned element and attribute names
	empty bool              // an empty-element tag: its end is the next event

	// Of the last event. The text is what stood directly before an end tag, kept only
	// when keep was set since the last start tag.
	name  string
	attrs []attribute
	text  []byte
	keep  bool
}

func newScanner(r io.Reader) *scanner {
	return &scanner{r: bufio.NewReaderSize(r, 64<<10), names: map[string]string{}}
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errXML, fmt.Sprintf(format, args...))
}

// depth is the number of open elements: during a start event that one is counted,
// during an end event no more.
func (s *scanner) depth() int { return len(s.stack) }

// attr returns the value of an attribute of the last start tag.
func (s *scanner) attr(name string) string {
	for _, a := range s.attrs {
		if a.name == name {
			return a.value
		}
	}
	return ""
}

// next returns the next start or end of an element; io.EOF after the root's end.
func (s *scanner) next() (event, error) {
	if s.empty {
		s.empty = false
		return s.end(s.name)
	}
	s.text = s.text[:0]
	for {
		if err := s.readText(); err != nil {
			return 0, err
		}
		if err := s.readTag(); err != nil {
			return 0, unexpected(err)
		}
		tag := s.buf
		switch {
		case len(tag) == 0:
			return 0, malformed("empty tag")
		case tag[0] == '?' || tag[0] == '!':
			continue // dealt with
		case tag[0] == '/':
			return s.end(string(bytes.TrimRight(tag[1:], " \t\r\n")))
		}
		return s.start(tag)
	}
}

// readText reads up to the next tag.
func (s *scanner) readText() error {
	for {
		part, err := s.r.ReadSlice('<')
		if err == nil {
			part = part[:len(part)-1]
		}
		if s.depth() == 0 && len(bytes.TrimLeft(part, " \t\r\n\ufeff")) > 0 {
			return malformed("text outside of the document")
		}
		if s.keep {
			if len(s.text)+len(part) > maxText {
				return malformed("a text of more than %d bytes", maxText)
			}
			s.text = append(s.text, part...)
		}
		switch {
		case err == nil:
			return nil
		case err == bufio.ErrBufferFull:
		case err == io.EOF && s.depth() == 0:
			return io.EOF
		default:
			return unexpected(err)
		}
	}
}

// readTag reads up to the ">" of a tag into s.buf. Comments, instructions and CDATA
// sections are consumed; of those only the first byte is left.
func (s *scanner) readTag() error {
	s.buf = s.buf[:0]
	c, err := s.r.ReadByte()
	if err != nil {
		return err
	}
	switch c {
	case '?':
		s.buf = append(s.buf, c)
		return s.skip("?>", false)
	case '!':
		s.buf = append(s.buf, c)
		head, err := s.r.Peek(2)
		if err != nil {
			return err
		}
		if string(head) == "--" {
			s.r.Discard(2)
			return s.skip("-->", false)
		}
		if head, err = s.r.Peek(7); err == nil && string(head) == "[CDATA[" {
			s.r.Discard(7)
			return s.skip("]]>", s.keep)
		}
		return malformed("a document type or another declaration")
	}
	s.r.UnreadByte()
	var quote byte
	for {
		part, err := s.r.ReadSlice('>')
		if err != nil && err != bufio.ErrBufferFull {
			return err
		}
		if len(s.buf)+len(part) > maxTag {
			return malformed("a tag of more than %d bytes", maxTag)
		}
		s.buf = append(s.buf, part...)
		for _, c := range part {
			switch {
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case c == quote:
				quote = 0
			}
		}
		if err == nil && quote == 0 {
			s.buf = s.buf[:len(s.buf)-1]
			return nil
		}
	}
}

// skip reads up to and with end. Kept text (of a CDATA section) is escaped, because
// it is unescaped with the rest.
func (s *scanner) skip(end string, keep bool) error {
	var tail []byte
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return err
		}
		tail = append(tail, c)
		if len(tail) < len(end) {
			continue
		}
		if string(tail) == end {
			return nil
		}
		if keep {
			if len(s.text) > maxText {
				return malformed("a text of more than %d bytes", maxText)
			}
			if tail[0] == '&' {
				s.text = append(s.text, "&amp;"...)
			} else {
				s.text = append(s.text, tail[0])
			}
		}
		copy(tail, tail[1:])
		tail = tail[:len(tail)-1]
	}
}

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
