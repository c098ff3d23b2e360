package shellconf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// Options of an evaluation. The zero value reads no file.
type Options struct {
	Roots []Root
	// Env has the variables there are before the first file. The environment of the
	// process is not seen.
	Env map[string]string
	// Seed makes RANDOM and $$ repeatable; 0 takes a random one.
	Seed uint64
}

// A File is one configuration file to evaluate.
type File struct {
	// Path is the file's absolute path as configuration writes it, below a root
	// unless Data is given.
	Path string
	// Data is the content when it does not come from below a root; Path then is the
	// name for messages, and relative includes are refused unless it lies below one.
	Data []byte
}

// A Result is what the files have assigned.
type Result struct {
	Vars     []Variable // in the order of their first assignment
	Warnings []Warning
}

// Eval evaluates files one after the other in one environment; files that do not
// exist are skipped. Errors are [*Error] and carry exit.Config.
func Eval(ctx context.Context, opts Options, files ...File) (*Result, error) {
	e, err := New(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	for _, f := range files {
		if _, err := e.Source(f); err != nil {
			return nil, err
		}
	}
	return e.Result(), nil
}

// An Evaluator evaluates files one by one. It is for one goroutine.
type Evaluator struct {
	meter
	trees    trees
	parser   *syntax.Parser
	rand     *rand.Rand
	pid      int
	vars     map[string]*variable
	order    []*variable // hidden ones too
	bytes    int
	funcs    map[string]function
	params   []string
	status   int
	jump     jump
	loops    int
	call     *call
	calls    int    // of Source
	outer    string // directory of the outermost file
	at       place
	line     int
	warnings []Warning
}

// place is the file being evaluated.
type place struct {
	path string // as configuration writes it
	name string // real
	base int    // lines before the first of what was parsed
}

// New opens the roots. The context and the limits of the package doc hold until
// [Evaluator.Close].
func New(ctx context.Context, opts Options) (*Evaluator, error) {
	t, err := openTrees(opts.Roots)
	if err != nil {
		return nil, exit.Wrap(exit.Config, err)
	}
	seed := opts.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	e := &Evaluator{
		meter:  meter{ctx: ctx, start: time.Now(), check: checkEvery},
		trees:  t,
		parser: syntax.NewParser(syntax.Variant(syntax.LangBash)),
		rand:   rand.New(rand.NewPCG(seed, seed)),
		vars:   map[string]*variable{},
		funcs:  map[string]function{},
	}
	e.pid = 2 + e.rand.IntN(1<<22-2)
	for _, name := range sortedKeys(opts.Env) {
		if err := e.store(e.get(name), opts.Env[name]); err != nil {
			t.close()
			return nil, exit.Wrap(exit.Config, fmt.Errorf("environment: %w", err))
		}
		e.vars[name].Exported = true
	}
	return e, nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Close closes the roots.
func (e *Evaluator) Close() { e.trees.close() }

// Source evaluates one file and reports whether it exists. After an error the
// Evaluator can only be closed.
func (e *Evaluator) Source(f File) (found bool, err error) {
	e.calls++
	e.outer = path.Dir(f.Path)
	p := place{path: f.Path, name: e.trees.name(f.Path)}
	data := f.Data
	if data == nil {
		data, err = e.readFile(f.Path)
		if missing(err) {
			return false, nil
		}
	}
	if err == nil {
		err = e.text(p, data)
	}
	e.jump = jump{}
	var at *Error
	if err != nil && !errors.As(err, &at) {
		err = &Error{File: p.name, Err: err}
	}
	return err == nil, exit.Wrap(exit.Config, err)
}

func (e *Evaluator) readFile(p string) ([]byte, error) {
	if e.files++; e.files > maxFiles {
		return nil, limit("more than %d files", maxFiles)
	}
	return await(&e.meter, func() ([]byte, error) { return e.trees.read(p) })
}

// text parses and evaluates a piece of shell.
func (e *Evaluator) text(p place, data []byte) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	if e.source += len(data); e.source > maxSource {
		return limit("more than %d bytes of configuration", maxSource)
	}
	if openers(data) > maxOpeners {
		return limit("more than %d parentheses, brackets and braces", maxOpeners)
	}
	if err := e.use(20 * len(data)); err != nil {
		return err
	}
	tree, err := e.parser.Parse(bytes.NewReader(data), "")
	if err != nil {
		return parseError(p, err)
	}
	at, line := e.at, e.line
	defer func() { e.at, e.line = at, line }()
	e.at = p
	return e.stmts(tree.Stmts)
}

// openers counts the characters by which the parser recurses deepest.
func openers(data []byte) int {
	n := 0
	for i, c := range data {
		if c == '(' || c == '[' || c == '`' || c == '{' && (i == 0 || data[i-1] != '$') {
			n++
		}
	}
	return n
}

func parseError(p place, err error) error {
	var pe syntax.ParseError
	if errors.As(err, &pe) {
		return &Error{p.name, p.base + int(pe.Pos.Line()), fmt.Errorf("%w: %s", ErrSyntax, pe.Text)}
	}
	var le syntax.LangError
	if errors.As(err, &le) {
		return &Error{p.name, p.base + int(le.Pos.Line()), fmt.Errorf("%w: %s is not supported", ErrSyntax, le.Feature)}
	}
	return &Error{p.name, p.base, fmt.Errorf("%w: %v", ErrSyntax, err)}
}

// Calls returns how often Source has been called.
func (e *Evaluator) Calls() int { return e.calls }

// Get returns a variable's value; ok is false when it has none.
func (e *Evaluator) Get(name string) (value string, ok bool) {
	v := e.vars[name]
	if v == nil {
		return "", false
	}
	return v.Value, v.set
}

// Lookup returns the variable of that name; ok is false when it has no value.
func (e *Evaluator) Lookup(name string) (v Variable, ok bool) {
	if p := e.vars[name]; p != nil && p.set {
		return p.Variable, true
	}
	return Variable{}, false
}

// Set gives a variable a value, readonly or not; origin is what [Variable.File] then says.
func (e *Evaluator) Set(name, value, origin string) error {
	if !validName(name) {
		return exit.Errorf(exit.Config, "%s: %q is not a variable name", origin, name)
	}
	v := e.get(name)
	if err := e.store(v, value); err != nil {
		return exit.Wrap(exit.Config, fmt.Errorf("%s: %w", origin, err))
	}
	v.File, v.Line, v.Call, v.assigned = origin, 0, 0, true
	return nil
}

// Pin makes files unable to change a variable, set or not, from now on: their
// assignments are ignored, with a warning unless quiet.
func (e *Evaluator) Pin(name string, quiet bool) {
	v := e.get(name)
	v.pinned, v.quiet = true, quiet
}

// Names returns the names of the files in a directory that end in suffix, sorted.
// A directory that does not exist has none.
func (e *Evaluator) Names(dir, suffix string) ([]string, error) {
	names, err := await(&e.meter, func() ([]string, error) { return e.trees.names(dir, suffix) })
	if missing(err) {
		return nil, nil
	}
	return names, exit.Wrap(exit.Config, err)
}

// IsDir reports whether a path below the roots is a directory.
func (e *Evaluator) IsDir(p string) (bool, error) {
	fi, err := e.statFile(p)
	if missing(err) {
		return false, nil
	}
	return err == nil && fi.IsDir(), exit.Wrap(exit.Config, err)
}

func (e *Evaluator) statFile(p string) (fs.FileInfo, error) {
	return await(&e.meter, func() (fs.FileInfo, error) {
		_, _, fi, err := e.trees.stat(p)
		return fi, err
	})
}

// Result returns what has been assigned so far.
func (e *Evaluator) Result() *Result {
	r := &Result{Warnings: slices.Clone(e.warnings)}
	for _, v := range e.order {
		if v.assigned && v.set {
			r.Vars = append(r.Vars, v.Variable)
		}
	}
	return r
}
