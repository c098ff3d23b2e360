package shellconf

import (
	"errors"

	"mvdan.cc/sh/v3/syntax"
)

// testClause evaluates [[ ]].
func (e *Evaluator) testClause(x syntax.TestExpr) (bool, error) {
	if err := e.enter(); err != nil {
		return false, err
	}
	defer e.leave()
	switch x := x.(type) {
	case *syntax.Word:
		s, err := e.expand(x, modeText)
		return s != "", err
	case *syntax.ParenTest:
		return e.testClause(x.X)
	case *syntax.UnaryTest:
		if x.Op == syntax.TsNot {
			ok, err := e.testClause(x.X)
			return !ok, err
		}
		w, ok := x.X.(*syntax.Word)
		if !ok {
			return false, refuse("test %s", x.Op)
		}
		s, err := e.expand(w, modeText)
		if err != nil {
			return false, err
		}
		return e.testOp(e.testUnary(x.Op.String(), s))
	case *syntax.BinaryTest:
		return e.binaryTest(x)
	}
	return false, refuse("this kind of test")
}

// testOp makes a malformed test false.
func (e *Evaluator) testOp(ok bool, err error) (bool, error) {
	if errors.Is(err, errTest) {
		e.warn("malformed test")
		return false, nil
	}
	return ok, err
}

func (e *Evaluator) binaryTest(x *syntax.BinaryTest) (bool, error) {
	if x.Op == syntax.AndTest || x.Op == syntax.OrTest {
		ok, err := e.testClause(x.X)
		if err != nil || ok == (x.Op == syntax.OrTest) {
			return ok, err
		}
		return e.testClause(x.Y)
	}
	a, okA := x.X.(*syntax.Word)
	b, okB := x.Y.(*syntax.Word)
	if !okA || !okB {
		return false, refuse("test %s", x.Op)
	}
	left, err := e.expand(a, modeText)
	if err != nil {
		return false, err
	}
	switch x.Op {
	case syntax.TsMatchShort, syntax.TsMatch, syntax.TsNoMatch:
		pattern, err := e.expand(b, modePattern)
		if err != nil {
			return false, err
		}
		ok, err := e.match(pattern, left)
		return ok == (x.Op != syntax.TsNoMatch), err
	}
	if !isBinaryTest(x.Op.String()) {
		return false, refuse("test %s", x.Op)
	}
	right, err := e.expand(b, modeText)
	if err != nil {
		return false, err
	}
	return e.testOp(e.testBinary(left, x.Op.String(), right))
}
