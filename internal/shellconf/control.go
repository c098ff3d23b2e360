package shellconf

import (
	"strconv"

	"mvdan.cc/sh/v3/syntax"
)

func (e *Evaluator) ifClause(c *syntax.IfClause) error {
	for ; c != nil; c = c.Else {
		if len(c.Cond) > 0 {
			if err := e.stmts(c.Cond); err != nil || e.jump.kind != jumpNone {
				return err
			}
			if e.status != 0 {
				continue
			}
		}
		e.status = 0
		return e.stmts(c.Then)
	}
	e.status = 0
	return nil
}

func (e *Evaluator) while(c *syntax.WhileClause) error {
	e.loops++
	defer func() { e.loops-- }()
	status := 0
	for {
		if err := e.use(stmtWork); err != nil {
			return err
		}
		if err := e.stmts(c.Cond); err != nil {
			return err
		}
		if e.leaveLoop() || (e.status == 0) == c.Until {
			break
		}
		if err := e.stmts(c.Do); err != nil {
			return err
		}
		status = e.status
		if e.leaveLoop() {
			break
		}
	}
	e.status = status
	return nil
}

// leaveLoop handles a jump at the end of a loop's turn.
func (e *Evaluator) leaveLoop() bool {
	j := &e.jump
	switch {
	case j.kind == jumpNone:
		return false
	case j.kind == jumpReturn:
		return true
	case j.levels > 1:
		j.levels--
		return true
	}
	again := j.kind == jumpContinue
	*j = jump{}
	return !again
}

func (e *Evaluator) forClause(c *syntax.ForClause) error {
	loop, ok := c.Loop.(*syntax.WordIter)
	if !ok || c.Select {
		return refuse("this kind of loop")
	}
	items := e.params
	if loop.InPos.IsValid() {
		var err error
		if items, err = e.fields(loop.Items); err != nil {
			return err
		}
	}
	e.loops++
	defer func() { e.loops-- }()
	e.status = 0
	for _, item := range items {
		if err := e.use(stmtWork); err != nil {
			return err
		}
		if err := e.assign(loop.Name.Value, item); err != nil {
			return err
		}
		if err := e.stmts(c.Do); err != nil {
			return err
		}
		if e.leaveLoop() {
			break
		}
	}
	return nil
}

func (e *Evaluator) caseClause(c *syntax.CaseClause) error {
	word, err := e.expand(c.Word, modeText)
	if err != nil {
		return err
	}
	e.status = 0
	for _, item := range c.Items {
		for _, p := range item.Patterns {
			pattern, err := e.expand(p, modePattern)
			if err != nil {
				return err
			}
			ok, err := e.match(pattern, word)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if item.Op != syntax.Break {
				return refuse("case branch that falls through")
			}
			return e.stmts(item.Stmts)
		}
	}
	return nil
}

func (e *Evaluator) binary(c *syntax.BinaryCmd) error {
	if c.Op != syntax.AndStmt && c.Op != syntax.OrStmt {
		return refuse("pipeline")
	}
	if err := e.stmt(c.X); err != nil || e.jump.kind != jumpNone {
		return err
	}
	if (e.status == 0) != (c.Op == syntax.AndStmt) {
		return nil
	}
	return e.stmt(c.Y)
}

// runFunction calls a function with args, its name first.
func (e *Evaluator) runFunction(f function, args []string) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	params, at, outer, loops, line := e.params, e.at, e.call, e.loops, e.line
	c := &call{}
	e.params, e.at, e.call, e.loops = args[1:], f.at, c, 0
	err := e.stmt(f.body)
	e.restore(c.locals)
	e.params, e.at, e.call, e.loops, e.line = params, at, outer, loops, line
	e.jump = jump{}
	return err
}

// jumpTo starts a break, continue or return; arg is its number, if any.
func (e *Evaluator) jumpTo(kind jumpKind, args []string) error {
	n := 1
	if kind == jumpReturn {
		n = e.status
	}
	if len(args) > 1 {
		var err error
		if n, err = strconv.Atoi(args[1]); err != nil || n < 0 || len(args) > 2 {
			return refuse("%s %q", args[0], args[1:])
		}
	}
	switch {
	case kind == jumpReturn:
		e.status = n & 255
	case e.loops == 0:
		return nil
	default:
		e.status, n = 0, min(max(n, 1), e.loops)
	}
	e.jump = jump{kind, n}
	return nil
}
