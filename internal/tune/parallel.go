package tune

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallelBlock is how many calls a CPU does at a time.
const parallelBlock = 64

// parallel calls f with the numbers from 0 to n-1, on all CPUs, and returns when all
// calls have.
func parallel(n int, f func(i int)) {
	parallelEach(n, func() func(i int) { return f })
}

// parallelEach is parallel where each CPU has a function of its own, which works in
// memory of its own.
func parallelEach(n int, newFunc func() func(i int)) {
	var next atomic.Int64
	work := func() {
		f := newFunc()
		for {
			from := int(next.Add(parallelBlock)) - parallelBlock
			if from >= n {
				return
			}
			for i := from; i < min(from+parallelBlock, n); i++ {
				f(i)
			}
		}
	}
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0)-1, n/parallelBlock) {
		group.Go(work)
	}
	work()
	group.Wait()
}
