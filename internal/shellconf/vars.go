package shellconf

import (
	"slices"
	"strconv"
	"strings"
)

// A Variable is a variable that the files have assigned.
type Variable struct {
	Name, Value string
	File        string // real path of the file that set it last; what Set was told
	Line        int    // line in it, 0 when unknown
	Call        int    // which call of Source that was, from 1; 0 for Set
	Exported    bool
	ReadOnly    bool
}

type variable struct {
	Variable
	set      bool // has a value (export X alone gives none)
	assigned bool // by a file or Set, not by the initial environment
	pinned   bool // assignments are ignored, by Pin
	quiet    bool // ... without a warning
}

func (v *variable) cost() int { return varCost + len(v.Name) + len(v.Value) }

// A saved variable is what a local one hides; nil when there was none.
type saved struct {
	name string
	old  *variable
}

// get returns the variable of that name, made when it does not exist.
func (e *Evaluator) get(name string) *variable {
	v := e.vars[name]
	if v == nil {
		v = &variable{Variable: Variable{Name: name}}
		e.vars[name] = v
		e.order = append(e.order, v)
		e.bytes += v.cost()
	}
	return v
}

// assign gives a variable a value as an assignment in a file does.
func (e *Evaluator) assign(name, value string) error {
	v := e.get(name)
	if v.pinned || v.ReadOnly {
		if !v.quiet && (value != v.Value || !v.set) {
			e.warn("%s is readonly and stays %q", name, v.Value)
		}
		return nil
	}
	if err := e.store(v, value); err != nil {
		return err
	}
	v.File, v.Line, v.Call, v.assigned = e.at.name, e.line, e.calls, true
	return nil
}

func (e *Evaluator) store(v *variable, value string) error {
	if len(value) > maxValue {
		return limit("value of %s is longer than %d bytes", v.Name, maxValue)
	}
	e.bytes -= v.cost()
	v.Value, v.set = strings.Clone(value), true
	e.bytes += v.cost()
	if e.bytes > maxVars {
		return limit("variables take more than %d bytes", maxVars)
	}
	return nil
}

func (e *Evaluator) unset(name string) {
	v := e.vars[name]
	if v == nil {
		return
	}
	if v.pinned || v.ReadOnly {
		if !v.quiet {
			e.warn("%s is readonly and stays %q", name, v.Value)
		}
		return
	}
	e.forget(v)
}

func (e *Evaluator) forget(v *variable) {
	e.bytes -= v.cost()
	delete(e.vars, v.Name)
	e.order = slices.DeleteFunc(e.order, func(o *variable) bool { return o == v })
}

// local hides a variable until the function returns.
func (e *Evaluator) local(name string) error {
	if e.call == nil {
		return refuse("local outside a function")
	}
	old := e.vars[name]
	if old != nil && (old.pinned || old.ReadOnly) {
		return nil
	}
	for _, s := range e.call.locals {
		if s.name == name {
			return nil
		}
	}
	e.call.locals = append(e.call.locals, saved{name, old})
	delete(e.vars, name) // old stays in order and in bytes
	v := e.get(name)
	if old != nil {
		v.Exported = old.Exported
	}
	return e.use(stmtWork)
}

// restore ends the life of a function's local variables.
func (e *Evaluator) restore(locals []saved) {
	for _, s := range locals {
		if v := e.vars[s.name]; v != nil {
			e.forget(v)
		}
		if s.old != nil {
			e.vars[s.name] = s.old
		}
	}
}

// lookup returns the value of a parameter as $name has it.
func (e *Evaluator) lookup(name string) (value string, set bool) {
	if v := e.vars[name]; v != nil {
		return v.Value, v.set
	}
	switch name {
	case "RANDOM":
		return strconv.Itoa(e.rand.IntN(1 << 15)), true
	case "$":
		return strconv.Itoa(e.pid), true
	case "?":
		return strconv.Itoa(e.status), true
	case "#":
		return strconv.Itoa(len(e.params)), true
	case "0":
		return "sh", true
	case "@", "*":
		return strings.Join(e.params, " "), len(e.params) > 0
	}
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n <= len(e.params) {
		return e.params[n-1], true
	}
	return "", false
}

// validName reports whether s is a variable's name.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
