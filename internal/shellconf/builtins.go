package shellconf

import (
	"path"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// simple evaluates assignments and the command they stand before. The assignments
// stay in force after it, as POSIX wants for special builtins; the others that are
// allowed do not care.
func (e *Evaluator) simple(c *syntax.CallExpr) error {
	args, err := e.fields(c.Args)
	if err != nil {
		return err
	}
	if len(args) > 0 && len(c.Assigns) > 0 {
		if _, ok := e.funcs[args[0]]; ok {
			return refuse("assignment before a function call")
		}
	}
	for _, a := range c.Assigns {
		if _, err := e.assignment(a); err != nil {
			return err
		}
	}
	if len(args) == 0 {
		e.status = 0
		return nil
	}
	if err := e.use(stmtWork); err != nil {
		return err
	}
	if f, ok := e.funcs[args[0]]; ok {
		return e.runFunction(f, args)
	}
	return e.builtin(args)
}

// assignment evaluates NAME=VALUE and returns NAME.
func (e *Evaluator) assignment(a *syntax.Assign) (string, error) {
	if a.Index != nil || a.Array != nil || a.Name == nil {
		return "", refuse("array")
	}
	value := ""
	if a.Value != nil {
		var err error
		if value, err = e.expand(a.Value, modeText); err != nil {
			return "", err
		}
	}
	if a.Append {
		old, _ := e.Get(a.Name.Value)
		if len(old)+len(value) > maxValue {
			return "", limit("value of %s is longer than %d bytes", a.Name.Value, maxValue)
		}
		if err := e.use(len(old) + len(value)); err != nil {
			return "", err
		}
		value = old + value
	}
	return a.Name.Value, e.assign(a.Name.Value, value)
}

// declare evaluates export, readonly and local.
func (e *Evaluator) declare(c *syntax.DeclClause) error {
	kind := c.Variant.Value
	switch kind {
	case "export", "readonly", "local":
	default:
		return refuse("command %q", kind)
	}
	e.status = 0
	for _, a := range c.Args {
		if a.Name == nil { // an option, or a word that is only known when expanded
			words, err := e.fields([]*syntax.Word{a.Value})
			if err != nil {
				return err
			}
			for _, w := range words {
				if err := e.declareWord(kind, w); err != nil {
					return err
				}
			}
			continue
		}
		if kind == "local" {
			if err := e.local(a.Name.Value); err != nil {
				return err
			}
		}
		if !a.Naked {
			if _, err := e.assignment(a); err != nil {
				return err
			}
		} else if a.Index != nil {
			return refuse("array")
		}
		e.mark(kind, a.Name.Value)
	}
	return nil
}

func (e *Evaluator) declareWord(kind, word string) error {
	name, value, has := strings.Cut(word, "=")
	if !validName(name) {
		return refuse("%s %q", kind, word)
	}
	if kind == "local" {
		if err := e.local(name); err != nil {
			return err
		}
	}
	if has {
		if err := e.assign(name, value); err != nil {
			return err
		}
	}
	e.mark(kind, name)
	return nil
}

func (e *Evaluator) mark(kind, name string) {
	switch kind {
	case "export":
		e.get(name).Exported = true
	case "readonly":
		e.get(name).ReadOnly = true
	}
}

// builtin runs a command that is not a function.
func (e *Evaluator) builtin(args []string) error {
	switch name := args[0]; name {
	case ":", "true", "echo", "cd":
		e.status = 0
	case "printf":
		if len(args) > 1 && strings.HasPrefix(args[1], "-") && args[1] != "--" {
			return refuse("printf %s", args[1])
		}
		e.status = 0
	case "false":
		e.status = 1
	case "[", "test":
		return e.testCommand(args)
	case ".", "source":
		return e.include(args)
	case "unset":
		return e.unsetCommand(args[1:])
	case "shift":
		return e.shift(args[1:])
	case "eval":
		return e.text(place{e.at.path, e.at.name, e.line - 1}, []byte(strings.Join(args[1:], " ")))
	case "return":
		return e.jumpTo(jumpReturn, args)
	case "break":
		return e.jumpTo(jumpBreak, args)
	case "continue":
		return e.jumpTo(jumpContinue, args)
	default:
		return refuse("command %q", name)
	}
	return nil
}

// include evaluates ". FILE". One that does not exist is skipped.
func (e *Evaluator) include(args []string) error {
	if len(args) == 1 {
		return refuse("%s without a file", args[0])
	}
	candidates := []string{path.Clean(args[1])}
	if !path.IsAbs(args[1]) {
		candidates = []string{path.Join(path.Dir(e.at.path), args[1]), path.Join(e.outer, args[1])}
	}
	e.status = 0
	for _, p := range candidates {
		data, err := e.readFile(p)
		if missing(err) {
			continue
		}
		if err != nil {
			return err
		}
		params, loops := e.params, e.loops
		if len(args) > 2 {
			e.params = args[2:]
		}
		e.loops = 0
		err = e.text(place{path: p, name: e.trees.name(p)}, data)
		e.params, e.loops = params, loops
		if e.jump.kind == jumpReturn {
			e.jump = jump{}
		}
		return err
	}
	return nil
}

func (e *Evaluator) unsetCommand(args []string) error {
	functions := false
	e.status = 0
	for _, a := range args {
		switch {
		case a == "-f":
			functions = true
		case a == "-v":
			functions = false
		case functions:
			delete(e.funcs, a)
		case !validName(a):
			return refuse("unset %q", a)
		default:
			e.unset(a)
		}
	}
	return nil
}

func (e *Evaluator) shift(args []string) error {
	n := 1
	if len(args) > 0 {
		var err error
		if n, err = strconv.Atoi(args[0]); err != nil || n < 0 {
			return refuse("shift %q", args[0])
		}
	}
	e.setStatus(n <= len(e.params))
	if e.status == 0 {
		e.params = e.params[n:]
	}
	return nil
}
