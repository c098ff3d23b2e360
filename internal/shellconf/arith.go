package shellconf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

var errDivision = errors.New("division by zero")

// arith evaluates an arithmetic expression in 64 bits, wrapping as shells do. A
// variable's value must be a number or empty: it is not an expression itself.
func (e *Evaluator) arith(x syntax.ArithmExpr) (int64, error) {
	if err := e.enter(); err != nil {
		return 0, err
	}
	defer e.leave()
	if err := e.use(1); err != nil {
		return 0, err
	}
	switch x := x.(type) {
	case nil:
		return 0, nil
	case *syntax.Word:
		s, err := e.expand(x, modeText)
		if err != nil {
			return 0, err
		}
		return e.number(s)
	case *syntax.ParenArithm:
		return e.arith(x.X)
	case *syntax.UnaryArithm:
		return e.unaryArith(x)
	case *syntax.BinaryArithm:
		return e.binaryArith(x)
	}
	return 0, refuse("this kind of arithmetic")
}

// number reads a number or the variable that s names.
func (e *Evaluator) number(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if validName(s) {
		s, _ = e.lookup(s)
		s = strings.TrimSpace(s)
	}
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil || strings.Contains(s, "_") {
		return 0, fmt.Errorf("%.80q is not a number", s)
	}
	return n, nil
}

func (e *Evaluator) unaryArith(x *syntax.UnaryArithm) (int64, error) {
	n, err := e.arith(x.X)
	if err != nil {
		return 0, err
	}
	switch x.Op {
	case syntax.Not:
		return truth(n == 0), nil
	case syntax.BitNegation:
		return ^n, nil
	case syntax.Plus:
		return n, nil
	case syntax.Minus:
		return -n, nil
	}
	next := n + 1
	if x.Op == syntax.Dec {
		next = n - 1
	}
	if err := e.assignArith(x.X, next); err != nil {
		return 0, err
	}
	if x.Post {
		return n, nil
	}
	return next, nil
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (e *Evaluator) assignArith(target syntax.ArithmExpr, n int64) error {
	w, ok := target.(*syntax.Word)
	if !ok || !validName(w.Lit()) {
		return refuse("assignment in arithmetic to something else than a variable")
	}
	return e.assign(w.Lit(), strconv.FormatInt(n, 10))
}

func (e *Evaluator) binaryArith(x *syntax.BinaryArithm) (int64, error) {
	switch x.Op {
	case syntax.TernQuest:
		return e.ternary(x)
	case syntax.Assgn:
		n, err := e.arith(x.Y)
		if err != nil {
			return 0, err
		}
		return n, e.assignArith(x.X, n)
	}
	a, err := e.arith(x.X)
	if err != nil {
		return 0, err
	}
	if x.Op == syntax.AndArit && a == 0 {
		return 0, nil
	}
	if x.Op == syntax.OrArit && a != 0 {
		return 1, nil
	}
	b, err := e.arith(x.Y)
	if err != nil {
		return 0, err
	}
	if op, ok := compound(x.Op); ok {
		n, err := compute(op, a, b)
		if err != nil {
			return 0, err
		}
		return n, e.assignArith(x.X, n)
	}
	return compute(x.Op, a, b)
}

func (e *Evaluator) ternary(x *syntax.BinaryArithm) (int64, error) {
	cond, err := e.arith(x.X)
	if err != nil {
		return 0, err
	}
	y, ok := x.Y.(*syntax.BinaryArithm)
	if !ok || y.Op != syntax.TernColon {
		return 0, refuse("this kind of arithmetic")
	}
	if cond != 0 {
		return e.arith(y.X)
	}
	return e.arith(y.Y)
}

// compound returns the operator of an assignment such as +=.
func compound(op syntax.BinAritOperator) (syntax.BinAritOperator, bool) {
	switch op {
	case syntax.AddAssgn:
		return syntax.Add, true
	case syntax.SubAssgn:
		return syntax.Sub, true
	case syntax.MulAssgn:
		return syntax.Mul, true
	case syntax.QuoAssgn:
		return syntax.Quo, true
	case syntax.RemAssgn:
		return syntax.Rem, true
	case syntax.AndAssgn:
		return syntax.And, true
	case syntax.OrAssgn:
		return syntax.Or, true
	case syntax.XorAssgn:
		return syntax.Xor, true
	case syntax.ShlAssgn:
		return syntax.Shl, true
	case syntax.ShrAssgn:
		return syntax.Shr, true
	}
	return 0, false
}

func compute(op syntax.BinAritOperator, a, b int64) (int64, error) {
	switch op {
	case syntax.Add:
		return a + b, nil
	case syntax.Sub:
		return a - b, nil
	case syntax.Mul:
		return a * b, nil
	case syntax.Quo, syntax.Rem:
		if b == 0 {
			return 0, errDivision
		}
		if op == syntax.Quo {
			return a / b, nil
		}
		return a % b, nil
	case syntax.Pow:
		return power(a, b)
	case syntax.And:
		return a & b, nil
	case syntax.Or:
		return a | b, nil
	case syntax.Xor:
		return a ^ b, nil
	case syntax.Shl:
		return a << (uint64(b) & 63), nil
	case syntax.Shr:
		return a >> (uint64(b) & 63), nil
	case syntax.AndArit, syntax.OrArit: // the other operand is decided already
		return truth(b != 0), nil
	case syntax.Comma:
		return b, nil
	}
	return compare(op, a, b)
}

func compare(op syntax.BinAritOperator, a, b int64) (int64, error) {
	switch op {
	case syntax.Eql:
		return truth(a == b), nil
	case syntax.Neq:
		return truth(a != b), nil
	case syntax.Lss:
		return truth(a < b), nil
	case syntax.Leq:
		return truth(a <= b), nil
	case syntax.Gtr:
		return truth(a > b), nil
	case syntax.Geq:
		return truth(a >= b), nil
	}
	return 0, refuse("operator %s in arithmetic", op)
}

// power squares, so that it takes at most 64 rounds.
func power(a, b int64) (int64, error) {
	if b < 0 {
		return 0, errors.New("negative exponent")
	}
	n := int64(1)
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			n *= a
		}
		a *= a
	}
	return n, nil
}
