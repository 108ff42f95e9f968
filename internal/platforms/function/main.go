// The function of the tests of package platforms: a CGI program that uses the
// CPU time in the environment variable BURN and answers with what getrusage
// says that it used, in ns. Static and small, so that its start is cheap.
package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	burn, err := time.ParseDuration(os.Getenv("BURN"))
	if err != nil {
		fmt.Printf("Status: 500 Internal Server Error\r\nContent-Type: text/plain\r\n\r\nBURN: %v\n", err)
		return
	}
	for used() < burn {
	}
	fmt.Printf("Content-Type: text/plain\r\n\r\n%d\n", used().Nanoseconds())
}

// used is the CPU time of the process since its fork.
func used() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
