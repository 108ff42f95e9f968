package gittins_test

import (
	"fmt"
	"log"

	"alps/internal/gittins"
)

// Nine in ten invocations of cached need 10 ms, one 200 ms; all of plain need 30.
func Example() {
	cached := []int64{10e6, 10e6, 10e6, 10e6, 10e6, 10e6, 10e6, 10e6, 10e6, 200e6}
	plain := []int64{30e6}

	var classes []gittins.Steps
	for _, samplesNs := range [][]int64{cached, plain} {
		d, err := gittins.New(gittins.Spread(samplesNs))
		if err != nil {
			log.Fatal(err)
		}
		classes = append(classes, d.Steps(4))
	}
	ranks := gittins.Ranks(classes)
	for class, steps := range classes {
		for i, step := range steps {
			fmt.Printf("%-6s from %6.1f ms: rank %d, %.1f ms for a completion\n",
				[]string{"cached", "plain"}[class], float64(step.FromNs)/1e6, ranks[class][i], step.RankNs/1e6)
		}
	}
	// Output:
	// cached from    0.0 ms: rank 1, 9.8 ms for a completion
	// cached from   20.0 ms: rank 4, 150.0 ms for a completion
	// cached from  400.0 ms: rank 6, 533.3 ms for a completion
	// cached from 1600.0 ms: rank 8, 2742.9 ms for a completion
	// plain  from    0.0 ms: rank 2, 24.0 ms for a completion
	// plain  from   60.0 ms: rank 3, 60.0 ms for a completion
	// plain  from  120.0 ms: rank 5, 160.0 ms for a completion
	// plain  from  480.0 ms: rank 7, 640.0 ms for a completion
}
