// Command listtree prints the tree below a directory as package listtree lists it.
//
//	listtree DIR
package main

import (
	"fmt"
	"os"

	"github.com/cvmfsbundle/cvmfsbundle/internal/listtree"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: listtree DIR")
		return 2
	}
	if err := listtree.Write(os.Stdout, args[0]); err != nil {
		fmt.Fprintln(os.Stderr, "listtree:", err)
		return 1
	}
	return 0
}
