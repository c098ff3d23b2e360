package shellconf

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
)

// errTest is a malformed test: a shell prints a message and the status is 2.
var errTest = errors.New("malformed test")

// testCommand evaluates [ and test.
func (e *Evaluator) testCommand(args []string) error {
	rest := args[1:]
	if args[0] == "[" {
		if len(rest) == 0 || rest[len(rest)-1] != "]" {
			return refuse("[ without ]")
		}
		rest = rest[:len(rest)-1]
	}
	ok, err := e.testArgs(rest)
	if errors.Is(err, errTest) {
		e.warn("malformed test %q", rest)
		e.status = 2
		return nil
	}
	e.setStatus(ok)
	return err
}

// testArgs follows POSIX: up to four arguments are decided by their number.
func (e *Evaluator) testArgs(a []string) (bool, error) {
	switch len(a) {
	case 0:
		return false, nil
	case 1:
		return a[0] != "", nil
	case 2:
		if a[0] == "!" {
			return a[1] == "", nil
		}
		return e.testUnary(a[0], a[1])
	case 3:
		switch {
		case isBinaryTest(a[1]):
			return e.testBinary(a[0], a[1], a[2])
		case a[1] == "-a":
			return a[0] != "" && a[2] != "", nil
		case a[1] == "-o":
			return a[0] != "" || a[2] != "", nil
		}
	}
	if err := e.enter(); err != nil {
		return false, err
	}
	defer e.leave()
	if a[0] == "!" && len(a) <= 4 {
		ok, err := e.testArgs(a[1:])
		return !ok, err
	}
	if a[0] == "(" && a[len(a)-1] == ")" && len(a) <= 4 {
		return e.testArgs(a[1 : len(a)-1])
	}
	p := testParser{e, a}
	ok, err := p.or()
	if err == nil && len(p.args) > 0 {
		err = errTest
	}
	return ok, err
}

// A testParser evaluates longer expressions by descent.
type testParser struct {
	e    *Evaluator
	args []string
}

func (p *testParser) peek(n int) string {
	if n < len(p.args) {
		return p.args[n]
	}
	return ""
}

func (p *testParser) or() (bool, error) {
	ok, err := p.and()
	for err == nil && p.peek(0) == "-o" {
		p.args = p.args[1:]
		var y bool
		y, err = p.and()
		ok = ok || y
	}
	return ok, err
}

func (p *testParser) and() (bool, error) {
	ok, err := p.not()
	for err == nil && p.peek(0) == "-a" {
		p.args = p.args[1:]
		var y bool
		y, err = p.not()
		ok = ok && y
	}
	return ok, err
}

func (p *testParser) not() (bool, error) {
	if err := p.e.enter(); err != nil {
		return false, err
	}
	defer p.e.leave()
	if err := p.e.use(stmtWork); err != nil {
		return false, err
	}
	switch {
	case len(p.args) == 0:
		return false, errTest
	case len(p.args) >= 3 && isBinaryTest(p.args[1]):
		a := p.args
		p.args = a[3:]
		return p.e.testBinary(a[0], a[1], a[2])
	case p.args[0] == "!":
		p.args = p.args[1:]
		ok, err := p.not()
		return !ok, err
	case p.args[0] == "(":
		p.args = p.args[1:]
		ok, err := p.or()
		if err == nil && p.peek(0) != ")" {
			return false, errTest
		}
		p.args = p.args[min(1, len(p.args)):]
		return ok, err
	case len(p.args) >= 2 && isUnaryTest(p.args[0]):
		a := p.args
		p.args = a[2:]
		return p.e.testUnary(a[0], a[1])
	}
	a := p.args[0]
	p.args = p.args[1:]
	return a != "", nil
}

func isBinaryTest(op string) bool {
	switch op {
	case "=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge":
		return true
	}
	return false
}

func isUnaryTest(op string) bool {
	return len(op) == 2 && op[0] == '-' && strings.IndexByte("bcdefghkLnprsStuvwxz", op[1]) >= 0
}

func (e *Evaluator) testBinary(x, op, y string) (bool, error) {
	if err := e.use(len(x) + len(y)); err != nil {
		return false, err
	}
	switch op {
	case "=", "==":
		return x == y, nil
	case "!=":
		return x != y, nil
	case "<":
		return x < y, nil
	case ">":
		return x > y, nil
	}
	a, errA := strconv.ParseInt(strings.TrimSpace(x), 10, 64)
	b, errB := strconv.ParseInt(strings.TrimSpace(y), 10, 64)
	if errA != nil || errB != nil {
		return false, errTest
	}
	switch op {
	case "-eq":
		return a == b, nil
	case "-ne":
		return a != b, nil
	case "-lt":
		return a < b, nil
	case "-le":
		return a <= b, nil
	case "-gt":
		return a > b, nil
	case "-ge":
		return a >= b, nil
	}
	return false, errTest
}

// testUnary evaluates string and file tests. Permission is judged by the mode bits
// of anybody; nothing is writable.
func (e *Evaluator) testUnary(op, x string) (bool, error) {
	if !isUnaryTest(op) {
		return false, errTest
	}
	switch op[1] {
	case 'n':
		return x != "", nil
	case 'z':
		return x == "", nil
	case 'v':
		_, set := e.lookup(x)
		return set, nil
	case 't', 'w':
		return false, nil
	}
	fi, err := e.testFile(x)
	if fi == nil || err != nil {
		return false, err
	}
	switch m := fi.Mode(); op[1] {
	case 'e':
		return true, nil
	case 'f':
		return m.IsRegular(), nil
	case 'd':
		return m.IsDir(), nil
	case 's':
		return fi.Size() > 0, nil
	case 'r':
		return m.Perm()&0o444 != 0, nil
	case 'x':
		return m.Perm()&0o111 != 0, nil
	case 'L', 'h':
		return m&fs.ModeSymlink != 0, nil
	}
	return false, nil // sockets, devices, fifos, set-id bits
}

// testFile returns nil for a file that does not exist or may not be looked at.
func (e *Evaluator) testFile(name string) (fs.FileInfo, error) {
	if name == "" {
		return nil, nil
	}
	if e.files++; e.files > maxFiles {
		return nil, limit("more than %d files", maxFiles)
	}
	p := name
	if p[0] != '/' {
		p = e.outer + "/" + p
	}
	fi, err := e.statFile(p)
	switch {
	case err == nil:
		return fi, nil
	case e.ctx.Err() != nil:
		return nil, e.ctx.Err()
	case errors.Is(err, ErrOutside):
		e.warn("test of file %q, which is %v, is false", name, ErrOutside)
	}
	return nil, nil
}
