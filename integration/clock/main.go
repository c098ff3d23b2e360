// Command clock prints CLOCK_MONOTONIC in nanoseconds: benchmarks run it as the command
// whose start they measure.
package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	os.Stdout.WriteString(strconv.FormatInt(ts.Nano(), 10) + "\n")
}
