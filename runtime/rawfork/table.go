// Package rawfork forks by hand and lets the child run a table of system calls.
//
// A Go process cannot call fork: the child would be one thread of a runtime that
// needs several. Package syscall can fork only to execute at once, with the few
// preparations that SysProcAttr knows. What the runtime of a bundle needs is more:
// name spaces, maps, mounts and the clients' own forks, one after the other, before
// anything is executed. Executing a helper program for each stage costs a start of
// the Go runtime apiece (2 ms and more), so the child runs a table that the parent
// has prepared: system call numbers and arguments, as package syscall's own
// forkAndExecInChild does with its fixed list.
//
// The child must not allocate, grow its stack, take locks or be preempted: [run] is
// nosplit and touches nothing but the table. Pointers in the table stay valid: the
// child has a copy of the parent's memory and no garbage collector runs in it.
//
// This is the only package that uses go:linkname for forking: the three hooks are
// those that gVisor and others use and that the Go runtime keeps for them
// (runtime/proc.go, syscall_runtime_BeforeFork and its two companions).
package rawfork

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Reg names a register: a place that holds the result of a step, to be used as an
// argument of a later one. Registers are inherited by forked children.
type Reg int8

// NumReg is the number of registers of a table.
const NumReg = 32

// Label is a place in a table that a step can jump to.
type Label int

// Arg is an argument of a system call.
type Arg struct {
	val uintptr
	reg Reg // used when isReg
	is  bool
}

// Int is a number as an argument.
func Int[T ~int | ~uint | ~uintptr | ~uint32 | ~int32 | ~uint64 | ~int64](v T) Arg {
	return Arg{val: uintptr(v)}
}

// Val is the value of a register as an argument.
func Val(r Reg) Arg { return Arg{reg: r, is: true} }

// Table is a program for a forked child. Build it with its methods, then run it once
// or several times with [Table.Start]. It must not be changed while it runs.
type Table struct {
	steps  []step
	labels []int // step index of each label, -1 while not placed
	keep   []any // memory that steps point to
	names  []string
}

type step struct {
	nr     uintptr
	arg    [6]uintptr
	argReg [6]int8 // register+1, 0: the value in arg
	into   int8    // register+1 for the result
	kind   kind
	onErr  int32 // what a failed call does: a label, or one of the constants below
	when   int32 // an errno that does something else: go on at label whenTo; 0: none
	whenTo int32
	target int32 // label of a fork's child or of a jump
}

type kind int8

const (
	kindCall   kind = iota
	kindFork        // clone(flags): the child goes on at target
	kindJump        // go on at target
	kindRefuse      // a call whose result must be 0: anything else is a failure
	kindReport      // a failed call is reported, whatever comes next
)

const (
	errFail   = -1 // report and exit
	errIgnore = -2 // go on with the next step
)

// Step is a handle on a step that was just added, to say more about it.
type Step struct {
	t *Table
	i int
}

// Call adds a system call. Unless [Step.Ignore] or [Step.OnError] says otherwise its
// failure ends the child, and the parent gets a [StepError] that names the step.
func (t *Table) Call(name string, nr uintptr, args ...Arg) Step {
	s := step{nr: nr, onErr: errFail}
	for i, a := range args {
		if a.is {
			s.argReg[i] = int8(a.reg) + 1
		} else {
			s.arg[i] = a.val
		}
	}
	t.steps = append(t.steps, s)
	t.names = append(t.names, name)
	return Step{t, len(t.steps) - 1}
}

// Into stores the result of the step in a register.
func (s Step) Into(r Reg) Step {
	s.t.steps[s.i].into = int8(r) + 1
	return s
}

// Ignore lets the child go on when the step fails.
func (s Step) Ignore() Step {
	s.t.steps[s.i].onErr = errIgnore
	return s
}

// Report tells the parent of a failure and lets the child go on with the next step.
func (s Step) Report() Step {
	s.t.steps[s.i].kind = kindReport
	return s.Ignore()
}

// OnError makes the child go on at l when the step fails.
func (s Step) OnError(l Label) Step {
	s.t.steps[s.i].onErr = int32(l)
	return s
}

// When makes the child go on at l when the step fails with errno, whatever other
// failures do.
func (s Step) When(errno syscall.Errno, l Label) Step {
	s.t.steps[s.i].when, s.t.steps[s.i].whenTo = int32(errno), int32(l)
	return s
}

// Index returns the number of the step, as in [StepError.Step].
func (s Step) Index() int { return s.i }

// NewLabel makes a label that [Table.Place] puts somewhere.
func (t *Table) NewLabel() Label {
	t.labels = append(t.labels, -1)
	return Label(len(t.labels) - 1)
}

// Place puts l before the next step that is added.
func (t *Table) Place(l Label) { t.labels[l] = len(t.steps) }

// Jump goes on at l.
func (t *Table) Jump(l Label) {
	s := t.Call("jump", 0)
	t.steps[s.i].kind, t.steps[s.i].target = kindJump, int32(l)
}

// Fork forks again, with the signal SIGCHLD and no flags: the new child goes on at l,
// the present one with the next step.
func (t *Table) Fork(l Label) Step {
	s := t.Call("fork", unix.SYS_CLONE, Int(unix.SIGCHLD))
	t.steps[s.i].kind, t.steps[s.i].target = kindFork, int32(l)
	return s
}

// ForkPid is [Table.Fork]; the kernel writes the new child's pid, 4 bytes, to pid in
// the forking process.
func (t *Table) ForkPid(l Label, pid []byte) Step {
	s := t.Call("fork", unix.SYS_CLONE, Int(unix.SIGCHLD|unix.CLONE_PARENT_SETTID), Int(0), t.Bytes(pid[:4:4]))
	t.steps[s.i].kind, t.steps[s.i].target = kindFork, int32(l)
	return s
}

// Refuse ends the child, as a failure, when the step's result is not 0.
func (s Step) Refuse() Step {
	s.t.steps[s.i].kind = kindRefuse
	return s
}

// Exec adds an execve or execveat: a step that does not come back unless it failed, and
// whose failure is reported.
func (t *Table) Exec(name string, nr uintptr, args ...Arg) Step {
	s := t.Call(name, nr, args...)
	t.steps[s.i].kind = kindReport
	return s
}

// Exit ends the child with a status.
func (t *Table) Exit(status int) {
	t.Call("exit", unix.SYS_EXIT_GROUP, Int(status))
}

// Str is a string as an argument: NUL terminated, kept alive by the table. A NUL
// inside ends it early, as everywhere in the kernel's interface.
func (t *Table) Str(s string) Arg {
	b := make([]byte, len(s)+1)
	copy(b, s)
	t.keep = append(t.keep, b)
	return Arg{val: uintptr(unsafe.Pointer(&b[0]))}
}

// Bytes is the address of b as an argument. b must not be empty.
func (t *Table) Bytes(b []byte) Arg {
	t.keep = append(t.keep, b)
	return Arg{val: uintptr(unsafe.Pointer(&b[0]))}
}

// Strv is a NULL terminated vector of strings as an argument.
func (t *Table) Strv(ss []string) Arg {
	v := make([]uintptr, len(ss)+1)
	for i, s := range ss {
		v[i] = t.Str(s).val
	}
	t.keep = append(t.keep, v)
	return Arg{val: uintptr(unsafe.Pointer(&v[0]))}
}

// Words is the address of some 64-bit words as an argument. There must be one at least.
func (t *Table) Words(ws ...uint64) Arg {
	w := append([]uint64(nil), ws...)
	t.keep = append(t.keep, w)
	return Arg{val: uintptr(unsafe.Pointer(&w[0]))}
}

// Len returns the number of steps.
func (t *Table) Len() int { return len(t.steps) }

// link turns labels into step indexes.
func (t *Table) link() []step {
	out := make([]step, len(t.steps))
	copy(out, t.steps)
	for i := range out {
		if out[i].onErr >= 0 {
			out[i].onErr = int32(t.labels[out[i].onErr])
		}
		if out[i].when != 0 {
			out[i].whenTo = int32(t.labels[out[i].whenTo])
		}
		if k := out[i].kind; k == kindFork || k == kindJump {
			out[i].target = int32(t.labels[out[i].target])
		}
	}
	return out
}

// name returns what step i is called, for messages.
func (t *Table) name(i int) string {
	if i < 0 || i >= len(t.names) {
		return "unknown step"
	}
	return t.names[i]
}

func (t *Table) alive() { runtime.KeepAlive(t) }
