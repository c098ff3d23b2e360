package shellconf

import (
	"errors"

	"mvdan.cc/sh/v3/syntax"
)

// A jump is a break, continue or return on its way to where it ends.
type jump struct {
	kind   jumpKind
	levels int // loops still to leave
}

type jumpKind int

const (
	jumpNone jumpKind = iota
	jumpBreak
	jumpContinue
	jumpReturn
)

// A function is a shell function and where it was declared.
type function struct {
	body *syntax.Stmt
	at   place
}

// A call is a running function.
type call struct{ locals []saved }

func (e *Evaluator) stmts(list []*syntax.Stmt) error {
	for _, s := range list {
		if err := e.stmt(s); err != nil {
			return err
		}
		if e.jump.kind != jumpNone {
			return nil
		}
	}
	return nil
}

// stmt evaluates one statement and gives its errors their place.
func (e *Evaluator) stmt(s *syntax.Stmt) error {
	e.line = e.at.base + int(s.Position.Line())
	line, name := e.line, e.at.name
	err := e.enter()
	if err == nil {
		err = e.bareStmt(s)
		e.leave()
	}
	var at *Error
	if err != nil && !errors.As(err, &at) {
		err = &Error{name, line, err}
	}
	return err
}

func (e *Evaluator) bareStmt(s *syntax.Stmt) error {
	if err := e.use(stmtWork); err != nil {
		return err
	}
	if s.Background || s.Coprocess || s.Disown {
		return refuse("background job")
	}
	for _, r := range s.Redirs {
		if err := e.redirect(r); err != nil {
			return err
		}
	}
	if s.Cmd == nil {
		e.status = 0
	} else if err := e.command(s.Cmd); err != nil {
		return err
	}
	if s.Negated {
		e.setStatus(e.status != 0)
	}
	return nil
}

// setStatus makes the last exit status 0 for true, 1 for false.
func (e *Evaluator) setStatus(ok bool) {
	e.status = 1
	if ok {
		e.status = 0
	}
}

// redirect lets pass what has no effect.
func (e *Evaluator) redirect(r *syntax.Redirect) error {
	switch r.Op {
	case syntax.RdrOut, syntax.AppOut, syntax.RdrIn, syntax.RdrClob, syntax.RdrAll, syntax.AppAll:
		target, err := e.expand(r.Word, modeText)
		if err != nil {
			return err
		}
		if target == "/dev/null" {
			return nil
		}
		return refuse("redirection to or from %q", target)
	case syntax.DplIn, syntax.DplOut:
		if w := r.Word.Lit(); w == "-" || len(w) == 1 && w[0] >= '0' && w[0] <= '9' {
			return nil
		}
	}
	return refuse("redirection %s", r.Op)
}

func (e *Evaluator) command(cmd syntax.Command) error {
	switch c := cmd.(type) {
	case *syntax.CallExpr:
		return e.simple(c)
	case *syntax.DeclClause:
		return e.declare(c)
	case *syntax.Block:
		return e.stmts(c.Stmts)
	case *syntax.IfClause:
		return e.ifClause(c)
	case *syntax.WhileClause:
		return e.while(c)
	case *syntax.ForClause:
		return e.forClause(c)
	case *syntax.CaseClause:
		return e.caseClause(c)
	case *syntax.BinaryCmd:
		return e.binary(c)
	case *syntax.TestClause:
		ok, err := e.testClause(c.X)
		e.setStatus(ok)
		return err
	case *syntax.ArithmCmd:
		n, err := e.arith(c.X)
		e.setStatus(n != 0)
		return err
	case *syntax.FuncDecl:
		if c.Name == nil {
			return refuse("this kind of function")
		}
		e.funcs[c.Name.Value] = function{c.Body, e.at}
		e.status = 0
		return nil
	case *syntax.Subshell:
		return refuse("subshell")
	}
	return refuse("this kind of command")
}
