package shellconf

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A mode is what a word is expanded to.
type mode int

const (
	modeText    mode = iota // one string: quotes removed, nothing split
	modePattern             // one pattern: quoted characters escaped by a backslash
	modeFields              // arguments: unquoted expansions split at IFS
)

// An origin is where a piece of an expanded word comes from.
type origin int

const (
	literal  origin = iota // unquoted text of the file
	quoted                 // inside quotes
	expanded               // the value of an unquoted expansion
)

// An expander collects the expansion of one word, or of a command's words.
type expander struct {
	e      *Evaluator
	mode   mode
	buf    []byte
	open   bool // a field has begun, perhaps an empty one in quotes
	blank  bool // the last field was ended by white space
	param  int  // inside how many unquoted ${x:-word}: literals there are split too
	fields []string
	total  int
}

// expand expands a word to one string.
func (e *Evaluator) expand(w *syntax.Word, m mode) (string, error) {
	if len(w.Parts) == 1 {
		if l, ok := w.Parts[0].(*syntax.Lit); ok && strings.IndexByte(l.Value, '\\') < 0 && !strings.HasPrefix(l.Value, "~") {
			return l.Value, e.use(1 + len(l.Value)) // the usual case
		}
	}
	x := expander{e: e, mode: m}
	if err := x.word(w); err != nil {
		return "", err
	}
	return string(x.buf), nil
}

// fields expands words to arguments.
func (e *Evaluator) fields(words []*syntax.Word) ([]string, error) {
	x := expander{e: e, mode: modeFields}
	for _, w := range words {
		if err := x.word(w); err != nil {
			return nil, err
		}
		x.flush()
	}
	return x.fields, nil
}

func (x *expander) word(w *syntax.Word) error {
	if len(w.Parts) == 0 {
		return nil
	}
	if l, ok := w.Parts[0].(*syntax.Lit); ok && x.mode != modePattern && strings.HasPrefix(l.Value, "~") {
		home, set := x.e.lookup("HOME")
		if rest := l.Value[1:]; set && (rest == "" && len(w.Parts) == 1 || strings.HasPrefix(rest, "/")) {
			if err := x.add(home, quoted); err != nil {
				return err
			}
			if err := x.lit(rest); err != nil {
				return err
			}
			return x.parts(w.Parts[1:], false)
		}
	}
	return x.parts(w.Parts, false)
}

func (x *expander) parts(parts []syntax.WordPart, inQuotes bool) error {
	if err := x.e.enter(); err != nil {
		return err
	}
	defer x.e.leave()
	for _, p := range parts {
		if err := x.part(p, inQuotes); err != nil {
			return err
		}
	}
	return nil
}

func (x *expander) part(p syntax.WordPart, inQuotes bool) error {
	switch p := p.(type) {
	case *syntax.Lit:
		if inQuotes {
			return x.quotedLit(p.Value)
		}
		return x.lit(p.Value)
	case *syntax.SglQuoted:
		if p.Dollar {
			return refuse("$'...'")
		}
		if inQuotes { // "${X:-'a'}": no quotes there, only characters
			if strings.ContainsAny(p.Value, "$`\\") {
				return refuse("expansion in '...' inside double quotes")
			}
			return x.add("'"+p.Value+"'", quoted)
		}
		return x.add(p.Value, quoted)
	case *syntax.DblQuoted:
		if p.Dollar {
			return refuse(`$"..."`)
		}
		if !x.onlyEmptyParams(p.Parts) {
			x.open = true
		}
		return x.parts(p.Parts, true)
	case *syntax.ParamExp:
		return x.paramExp(p, inQuotes)
	case *syntax.ArithmExp:
		n, err := x.e.arith(p.X)
		if err != nil {
			return err
		}
		return x.add(strconv.FormatInt(n, 10), originOf(inQuotes))
	case *syntax.CmdSubst:
		return refuse("command substitution")
	case *syntax.ProcSubst:
		return refuse("process substitution")
	case *syntax.ExtGlob:
		return refuse("extended pattern")
	}
	return refuse("this kind of word")
}

// originOf returns the origin of an expansion's value.
func originOf(inQuotes bool) origin {
	if inQuotes {
		return quoted
	}
	return expanded
}

// onlyEmptyParams reports "$@" without parameters, which is no field at all.
func (x *expander) onlyEmptyParams(parts []syntax.WordPart) bool {
	if len(parts) != 1 || len(x.e.params) > 0 {
		return false
	}
	p, ok := parts[0].(*syntax.ParamExp)
	return ok && p.Param != nil && p.Param.Value == "@"
}

// lit adds unquoted text, in which a backslash quotes the next character.
func (x *expander) lit(s string) error {
	kind := literal
	if x.param > 0 {
		kind = expanded
	}
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			return x.add(s, kind)
		}
		if err := x.add(s[:i], kind); err != nil {
			return err
		}
		if s[i+1] != '\n' {
			if err := x.add(s[i+1:i+2], quoted); err != nil {
				return err
			}
		}
		s = s[i+2:]
	}
}

// quotedLit adds text in double quotes, where a backslash quotes only $ ` " \ and
// the end of the line.
func (x *expander) quotedLit(s string) error {
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			return x.add(s, quoted)
		}
		end := i // keep the backslash
		if c := s[i+1]; strings.IndexByte("$`\"\\\n", c) < 0 {
			end = i + 1
		}
		if err := x.add(s[:end], quoted); err != nil {
			return err
		}
		if s[i+1] != '\n' {
			if err := x.add(s[i+1:i+2], quoted); err != nil {
				return err
			}
		}
		s = s[i+2:]
	}
}

// add appends a piece of the expansion.
func (x *expander) add(s string, o origin) error {
	if x.total += len(s); x.total > maxValue {
		return limit("expansion is longer than %d bytes", maxValue)
	}
	if err := x.e.use(1 + len(s)); err != nil {
		return err
	}
	switch {
	case x.mode == modePattern && o == quoted:
		for i := range len(s) {
			if strings.IndexByte(`*?[]\-!^`, s[i]) >= 0 {
				x.buf = append(x.buf, '\\')
			}
			x.buf = append(x.buf, s[i])
		}
	case x.mode == modeFields && o == expanded:
		return x.split(s)
	default:
		x.buf = append(x.buf, s...)
		x.open = x.open || o == quoted || s != ""
		if x.open {
			x.blank = false
		}
	}
	return nil
}

// split appends a value and cuts it at the characters of IFS: white space around
// fields disappears, any other character ends one field.
func (x *expander) split(s string) error {
	ifs, set := x.e.lookup("IFS")
	if !set {
		ifs = " \t\n"
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case strings.IndexByte(ifs, c) < 0:
			x.buf = append(x.buf, c)
			x.open, x.blank = true, false
		case c == ' ' || c == '\t' || c == '\n':
			if x.open {
				x.flush()
				x.blank = true
			}
		case x.blank:
			x.blank = false
		default:
			x.open = true
			x.flush()
		}
	}
	return nil
}

// flush ends a field.
func (x *expander) flush() {
	if x.open {
		x.fields = append(x.fields, string(x.buf))
	}
	x.buf, x.open, x.blank = x.buf[:0], false, false
}
