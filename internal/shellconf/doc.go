// Package shellconf evaluates CVMFS configuration files, which are shell scripts,
// without a shell: nothing is executed, nothing is written, and only files below
// directories that the caller names are read.
//
// # What is understood
//
// The files are parsed by mvdan.cc/sh/v3/syntax as bash; the syntax tree is then
// evaluated here. (That module's own interpreter is made to run scripts: it has no way
// to bound the memory of an evaluation, and would add more than a megabyte to the
// stub.) What is not in this list is refused, with file and
// line, at the moment it would be evaluated; in a branch not taken it does no harm.
//
//   - assignments (also +=), export, readonly, local, unset;
//   - if, case, for NAME in WORDS, while, until, { }, functions, &&, ||, !;
//   - [ ], test, [[ ]] without =~; file tests below the roots only (elsewhere they
//     are false, with a warning);
//   - ". FILE" and "source FILE";
//   - : true false echo printf return break continue shift eval, and cd, which does
//     nothing; what echo and printf would print is dropped;
//   - redirections to and from /dev/null and among descriptors, which do nothing;
//   - $X, ${X} with - := :+ :? # ## % %% / // : ^^ ,, and ${#X}, $((...)), ((...)),
//     quotes, $? $$ $# $@ $* $0 to $9, RANDOM.
//
// Refused therefore: every command that is not named above, command substitution
// ($(...) and backquotes, whatever is inside) outside single quotes, process substitution,
// pipelines, subshells, background jobs, here-documents, other redirections,
// exec, trap, set, arrays and $'...'. File names are not expanded (* stays *), nor are
// braces, as in a POSIX shell.
//
// # Differences from a shell
//
// An assignment to a readonly variable is ignored and recorded as a warning; the
// evaluation goes on. An included file that does not exist is skipped: configuration
// repositories rely on both (they are written for the client's own parser). An
// included file is searched relative to the including file's directory, then
// relative to that of the outermost file. $$ is a random number and not the
// process's: configuration uses it to spread load, and in a new pid namespace it
// would always be 1.
//
// # Limits
//
// Every evaluation is bounded in time (two seconds, waiting for files not counted,
// and a fixed number of steps), memory (size of files, values, all variables, nesting,
// included files) and reading. A file that blocks is abandoned when the
// caller's context ends; devices, fifos and sockets are refused. There is no
// concurrency: an evaluation has ended when its call returns.
package shellconf
