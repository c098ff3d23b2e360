package yum

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
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
