// Package readonlytest holds the checks that every mount of a repository must pass,
// whoever made it and whatever serves it: what programs expect of a read-only file
// system.
//
// The checks run against a directory with the content described by the constants
// below, in a process that is not the server (a process that uses its own mount
// deadlocks).
package readonlytest

// Names in the tested directory. Test publishers make them so:
//
//	File       regular, mode 0644, FileText
//	Tool       regular, mode 0755, ToolText
//	Big        regular, chunked, BigSize bytes, byte i is Pattern(i)
//	Whole      regular, one object, WholeSize bytes, byte i is Pattern(i)
//	Empty      regular, 0 bytes
//	Dir        directory with one file, Inner
//	Many       directory with ManyCount files, named by ManyName
//	Link       symbolic link to File
//	Dangling   symbolic link to "nowhere/at/all"
//	Loop       symbolic link to itself
//	HardA,B    one file with two names
//	Secret     regular, mode 0000
const (
	File, FileText = "file", "hello\n"
	Tool, ToolText = "tool", "#!/bin/sh\necho ran\n"
	Big            = "big"
	BigSize        = 5<<20 + 123
	BigChunk       = 1 << 20
	Whole          = "whole"
	WholeSize      = 700_001
	Empty          = "empty"
	Dir, Inner     = "dir", "inner"
	Many           = "many"
	ManyCount      = 300
	Link           = "link"
	Dangling       = "dangling"
	Loop           = "loop"
	HardA, HardB   = "hard-a", "hard-b"
	Secret         = "secret"
)

// Pattern is the byte at an offset of Big and Whole: no piece is like another.
func Pattern(off int64) byte {
	x := uint64(off/8+1) * 0x9e3779b97f4a7c15
	return byte(x >> (8 * uint(off%8)))
}

// ManyName is the name of a file in Many.
func ManyName(i int) string {
	const digits = "0123456789"
	return "entry-with-a-longer-name-" + string([]byte{digits[i/100%10], digits[i/10%10], digits[i%10]})
}

// Check is one check of a mounted directory.
type Check struct {
	Name string
	Run  func(dir string) error
}

// All returns the checks.
func All() []Check {
	var all []Check
	all = append(all, writeChecks()...)
	all = append(all, nameChecks()...)
	all = append(all, directoryChecks()...)
	return append(all, contentChecks()...)
}
