package shellconf

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// paramExp expands $X and ${X...}.
func (x *expander) paramExp(p *syntax.ParamExp, inQuotes bool) error {
	if p.Param == nil || p.Flags != nil || p.Excl || p.Width || p.IsSet || p.NestedParam != nil || p.Index != nil ||
		len(p.Modifiers) > 0 || p.Names != 0 || p.Split != 0 || p.GlobSubst != 0 || p.RcExpand != 0 {
		return refuse("this kind of ${...}")
	}
	name, o := p.Param.Value, originOf(inQuotes)
	if name == "@" && inQuotes && x.mode == modeFields && p.Exp == nil && p.Slice == nil && p.Repl == nil && !p.Length {
		return x.allParams()
	}
	value, set := x.e.lookup(name)
	switch {
	case p.Length:
		if name == "@" || name == "*" {
			return refuse("${#%s}", name)
		}
		return x.add(fmt.Sprint(utf8.RuneCountInString(value)), o)
	case p.Slice != nil:
		return x.slice(value, p.Slice, o)
	case p.Repl != nil:
		s, err := x.e.replace(value, p.Repl)
		if err != nil {
			return err
		}
		return x.add(s, o)
	case p.Exp != nil:
		return x.operator(name, value, set, p.Exp, inQuotes)
	}
	return x.add(value, o)
}

// allParams expands "$@": each parameter is a field.
func (x *expander) allParams() error {
	for i, s := range x.e.params {
		if i > 0 {
			x.open = true
			x.flush()
		}
		if err := x.add(s, quoted); err != nil {
			return err
		}
	}
	return nil
}

// operator expands ${X:-word} and its like.
func (x *expander) operator(name, value string, set bool, op *syntax.Expansion, inQuotes bool) error {
	o := originOf(inQuotes)
	switch op.Op {
	case syntax.AlternateUnsetOrNull, syntax.DefaultUnsetOrNull, syntax.AssignUnsetOrNull, syntax.ErrorUnsetOrNull:
		set = set && value != ""
	}
	switch op.Op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		if set {
			return x.alternative(op.Word, inQuotes)
		}
		return nil
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull:
		if !set {
			return x.alternative(op.Word, inQuotes)
		}
		return x.add(value, o)
	case syntax.AssignUnset, syntax.AssignUnsetOrNull:
		if set {
			return x.add(value, o)
		}
		if !validName(name) {
			return refuse("assignment to $%s", name)
		}
		v, err := x.e.word(op.Word, modeText, inQuotes)
		if err == nil {
			err = x.e.assign(name, v)
		}
		if err != nil {
			return err
		}
		v, _ = x.e.lookup(name)
		return x.add(v, o)
	case syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
		if set {
			return x.add(value, o)
		}
		msg, err := x.e.word(op.Word, modeText, inQuotes)
		if err != nil {
			return err
		}
		if msg == "" {
			msg = "not set"
		}
		return fmt.Errorf("%s: %s", name, msg)
	}
	s, err := x.e.change(value, op, inQuotes)
	if err != nil {
		return err
	}
	return x.add(s, o)
}

// alternative expands the word of ${X:-word} in place.
func (x *expander) alternative(w *syntax.Word, inQuotes bool) error {
	if w == nil {
		return nil
	}
	if inQuotes {
		return x.parts(w.Parts, true)
	}
	x.param++
	defer func() { x.param-- }()
	return x.parts(w.Parts, false)
}

// word expands the word of an operator by itself; nil is empty.
func (e *Evaluator) word(w *syntax.Word, m mode, inQuotes bool) (string, error) {
	if w == nil {
		return "", nil
	}
	x := expander{e: e, mode: m}
	err := x.parts(w.Parts, inQuotes)
	return string(x.buf), err
}

// change expands ${X#pattern} and the like, and ${X^^} and ${X,,}.
func (e *Evaluator) change(value string, op *syntax.Expansion, inQuotes bool) (string, error) {
	switch op.Op {
	case syntax.UpperAll, syntax.LowerAll:
		if op.Word != nil && len(op.Word.Parts) > 0 {
			break
		}
		if op.Op == syntax.UpperAll {
			return strings.ToUpper(value), e.use(len(value))
		}
		return strings.ToLower(value), e.use(len(value))
	case syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		// The pattern's own quotes count, not those around the whole.
		pattern, err := e.word(op.Word, modePattern, false)
		if err != nil {
			return "", err
		}
		return e.strip(value, pattern, op.Op)
	}
	return "", refuse("${...%s}", op.Op)
}

// strip removes the shortest or longest match from an end of s.
func (e *Evaluator) strip(s, pattern string, op syntax.ParExpOperator) (string, error) {
	prefix := op == syntax.RemSmallPrefix || op == syntax.RemLargePrefix
	fromStart := op == syntax.RemSmallPrefix || op == syntax.RemLargeSuffix
	for n := range len(s) + 1 {
		cut := n
		if !fromStart {
			cut = len(s) - n
		}
		part, rest := s[:cut], s[cut:]
		if !prefix {
			part, rest = rest, part
		}
		if err := e.use(1); err != nil {
			return "", err
		}
		ok, err := e.match(pattern, part)
		if err != nil {
			return "", err
		}
		if ok {
			return rest, nil
		}
	}
	return s, nil
}

// slice expands ${X:offset:length}, in characters.
func (x *expander) slice(value string, sl *syntax.Slice, o origin) error {
	if err := x.e.use(len(value)); err != nil {
		return err
	}
	runes := []rune(value)
	n := int64(len(runes))
	from, err := x.e.arith(sl.Offset)
	if err != nil {
		return err
	}
	if from < 0 {
		from += n
	}
	if from < 0 || from > n {
		return nil
	}
	to := n
	if sl.Length != nil {
		length, err := x.e.arith(sl.Length)
		if err != nil {
			return err
		}
		switch {
		case length >= 0:
			to = from + min(length, n-from)
		case n+length < from:
			return fmt.Errorf("${...:%d:%d}: negative length", from, length)
		default:
			to = n + length
		}
	}
	return x.add(string(runes[from:to]), o)
}

// replace expands ${X/pattern/with} and ${X//pattern/with}.
func (e *Evaluator) replace(s string, r *syntax.Replace) (string, error) {
	pattern, err := e.word(r.Orig, modePattern, false)
	if err != nil {
		return "", err
	}
	with, err := e.word(r.With, modeText, false)
	if err != nil || pattern == "" {
		return s, err
	}
	anchor := byte(0)
	if !r.All && (pattern[0] == '#' || pattern[0] == '%') {
		anchor, pattern = pattern[0], pattern[1:]
	}
	var out []byte
	for i := 0; i < len(s); {
		end, err := e.longest(pattern, s[i:])
		if err != nil {
			return "", err
		}
		hit := end > 0 && (anchor != '%' || i+end == len(s))
		if hit {
			out = append(out, with...)
			i += end
		} else {
			out = append(out, s[i])
			i++
		}
		if len(out) > maxValue {
			return "", limit("expansion is longer than %d bytes", maxValue)
		}
		if hit && !r.All || anchor == '#' {
			return string(append(out, s[i:]...)), nil
		}
	}
	return string(out), nil
}

// longest returns the length of the longest non-empty prefix that matches, or 0.
func (e *Evaluator) longest(pattern, s string) (int, error) {
	for n := len(s); n > 0; n-- {
		if err := e.use(1); err != nil {
			return 0, err
		}
		ok, err := e.match(pattern, s[:n])
		if ok || err != nil {
			return n, err
		}
	}
	return 0, nil
}
