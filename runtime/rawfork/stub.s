// The functions of fork.go that have no body are in the Go runtime: this file lets
// the compiler accept that.
