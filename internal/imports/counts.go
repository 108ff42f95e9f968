package imports

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"alps/internal/stream"
	"alps/internal/workload"
)

// spreader makes requests of counts by interval. Those of an interval arrive at
// random within it, each moment as likely as any other.
type spreader struct {
	yield    func(workload.Request) error
	sampler  *sampler
	demander *demander
	arrivals *rand.Rand
	// durations draws durations, for formats that have distributions of them.
	durations *rand.Rand

	pending []workload.Request // of the interval
}

func (i *importer) newSpreader(yield func(workload.Request) error) *spreader {
	return &spreader{
		yield: yield, sampler: i.newSampler(), demander: i.newDemander(),
		arrivals: i.newRand(seedArrival), durations: i.newRand(seedDuration),
	}
}

// add takes n requests of a class in an interval.
func (s *spreader) add(class string, n, beginNs, lengthNs int64, durationNs func() int64) error {
	mean, _ := s.demander.meanOf(class)
	taken := s.sampler.take(n)
	if taken > stream.MaxWindowRows-int64(len(s.pending)) {
		return fmt.Errorf("more than %d requests in the %v from %v on; take a sample",
			stream.MaxWindowRows, time.Duration(lengthNs), time.Duration(beginNs))
	}
	for range taken {
		duration := durationNs()
		cpuNs, sleepNs := s.demander.of(mean, duration, duration)
		s.pending = append(s.pending, request(class, beginNs+s.arrivals.Int64N(lengthNs), cpuNs, sleepNs))
	}
	return nil
}

// end ends an interval.
func (s *spreader) end() error {
	slices.SortStableFunc(s.pending, func(a, b workload.Request) int { return cmp.Compare(a.ArrivalNs, b.ArrivalNs) })
	for _, r := range s.pending {
		if err := s.yield(r); err != nil {
			return err
		}
	}
	s.pending = s.pending[:0]
	return nil
}
