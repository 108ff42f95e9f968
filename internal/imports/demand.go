package imports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"alps/internal/workload"
)

// What is random is drawn from sources of its own, so that a sample does not
// change what its requests would have been otherwise, nor demands the arrivals.
const (
	seedSample   = 0x73616d706c65 // "sample"
	seedDemand   = 0x64656d616e64 // "demand"
	seedDuration = 0x6c656e677468 // "length"
	seedArrival  = 0x617272697665 // "arrive"
)

func (i *importer) newRand(of uint64) *rand.Rand { return rand.New(rand.NewPCG(i.Seed, of)) }

// demander says how much CPU time requests take.
type demander struct {
	demands workload.Demands
	load    workload.Load
	rng     *rand.Rand
}

func (i *importer) newDemander() *demander {
	return &demander{demands: i.demands, load: i.load(), rng: i.newRand(seedDemand)}
}

// meanOf returns the mean demand of a class; false where the demands, if
// there are any, say nothing of it.
func (d *demander) meanOf(class string) (time.Duration, bool) {
	if d.demands == nil {
		return 0, true
	}
	mean, ok := d.demands[workload.FunctionArgument{Function: class}]
	return mean, ok
}

// of returns the CPU time of a request, and how long it sleeps: what is left
// of its duration. Without demands it computes for cpuNs of it.
func (d *demander) of(mean time.Duration, cpuNs, durationNs int64) (cpu, sleep int64) {
	if d.demands != nil {
		cpuNs = d.load.Vary(d.rng, float64(mean))
	}
	return cpuNs, max(0, durationNs-cpuNs)
}

// noDemand is what is wrong with a class that the demands say nothing of.
func noDemand(class string) string {
	return fmt.Sprintf("the demands say nothing of the function %s with no argument", class)
}

// sampler takes a random part of the requests, each with the same probability.
type sampler struct {
	of   int
	skip int64 // how many come before the next that is taken
	rng  *rand.Rand
}

func (i *importer) newSampler() *sampler {
	s := &sampler{of: i.SampleOf, rng: i.newRand(seedSample)}
	s.skip = s.gap()
	return s
}

// take says how many of the next n requests are taken. What it costs is what
// it returns, not n: functions are known that were called a billion times a day.
func (s *sampler) take(n int64) int64 {
	if s.of == 1 {
		return n
	}
	var taken int64
	for s.skip < n {
		taken++
		s.skip += 1 + s.gap()
	}
	s.skip -= n
	return taken
}

// gap draws how many requests are passed over before one is taken, which is
// geometrically distributed.
func (s *sampler) gap() int64 {
	if s.of == 1 {
		return 0
	}
	gap := math.Log(1-s.rng.Float64()) / math.Log1p(-1/float64(s.of))
	return int64(min(gap, maxCount))
}
