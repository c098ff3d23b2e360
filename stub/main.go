// Command stub is the program at the head of every bundle. Package runtime/session
// does the work.
package main

import (
	"os"

	"github.com/cvmfsbundle/cvmfsbundle/runtime/session"
)

func main() { os.Exit(session.Main(os.Args)) }
