// Command readonlytest runs the checks of package readonlytest on a directory and
// prints a line for each. It ends with 1 when one has failed.
//
//	readonlytest DIR
package main

import (
	"fmt"
	"os"

	"github.com/cvmfsbundle/cvmfsbundle/internal/readonlytest"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: readonlytest DIR")
		return 2
	}
	code := 0
	for _, c := range readonlytest.All() {
		if err := c.Run(args[0]); err != nil {
			fmt.Printf("FAIL %s: %v\n", c.Name, err)
			code = 1
			continue
		}
		fmt.Printf("ok   %s\n", c.Name)
	}
	return code
}
