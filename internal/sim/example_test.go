package sim_test

import (
	"fmt"
	"os"
	"strings"

	"alps/internal/sim"
	"alps/internal/stream"
)

// A job of 3 ms arrives while one of 10 ms runs.
func ExampleSRPT() {
	const ms = 1_000_000
	jobs := []sim.Job{{ArrivalNs: 0, CPUNs: 10 * ms}, {ArrivalNs: 2 * ms, CPUNs: 3 * ms}}
	result, err := sim.Simulate(jobs, sim.Config{CPUs: 1, KeepTurns: true},
		sim.SRPT{MinSliceNs: sim.DefaultMinSliceNs})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range result.Turns {
		fmt.Printf("job %d from %d ms for %d ms\n", t.Job, t.StartNs/ms, t.SliceNs/ms)
	}
	// Output:
	// job 0 from 0 ms for 6 ms
	// job 0 from 9 ms for 4 ms
	// job 1 from 6 ms for 3 ms
}

func ExampleRun() {
	in := `window,class,invocation,arrival_ns,cpu_ns,end_ns,wait_ns,block_ns,cpus,util_pct
1,resize,r1,0,10,,0,0,1,80
1,thumb,t1,2,3,,0,0,1,80
`
	err := sim.Run(
		stream.NewReader[stream.Invocation](strings.NewReader(in), "example"),
		stream.NewWriter[stream.Turn](os.Stdout), os.Stderr,
		sim.Options{Policy: func([]sim.Job) sim.Policy { return sim.SRPT{MinSliceNs: 6} }})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// window,rows,class,key,invocation,turn,slice_ns,wait_ns,cpus,util_pct,start_ns,kind
	// 1,3,resize,,r1,1,6,0,1,80,0,
	// 1,3,resize,,r1,2,4,0,1,80,9,
	// 1,3,thumb,,t1,1,3,4,1,80,6,
}
