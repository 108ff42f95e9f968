package tune_test

import (
	"fmt"
	"os"
	"strings"

	"alps/internal/stream"
	"alps/internal/tune"
)

func ExampleRun() {
	in := `window,class,key,invocation,turn,slice_ns,wait_ns,cpus,util_pct
1,resize,cgroup:/fn/resize,r1,1,6000000,0,1,90
1,resize,cgroup:/fn/resize,r1,2,4000000,0,1,90
1,thumb,cgroup:/fn/thumb,t1,1,3000000,4000000,1,90
`
	tuner := tune.New(tune.Options{Predictor: tune.Mean{}, Params: tune.DefaultParams, History: 1})
	err := tune.Run(
		stream.NewReader[stream.Turn](strings.NewReader(in), "example"),
		stream.NewWriter[stream.Policy](os.Stdout), tuner)
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// window,rows,class,key,from_ns,rank,slice_ns,samples,predicted_ns,stdev_ns,penalty,wait_ns,last_ns,demand_ns,kind
	// 1,2,resize,cgroup:/fn/resize,0,1,2400000,2,5000000,1000000,0.6,0,0,10000000,
	// 1,2,thumb,cgroup:/fn/thumb,0,2,1800000,1,3000000,0,0.6,4000000,0,3000000,
}
