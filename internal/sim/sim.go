package sim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Job is one invocation to simulate. Its place in the slice is its row, which
// breaks ties.
type Job struct {
	// ArrivalNs is when it arrives, at least 0, on any one clock. Jobs need
	// not be in order of arrival.
	ArrivalNs int64
	// CPUNs is the CPU time it needs, at least 0. A job with 0 gets no turn.
	CPUNs int64
}

// Turn is one uninterrupted stay of a job on a CPU.
type Turn struct {
	// Job is the index of the job.
	Job int
	// StartNs is when the turn began, on the clock of the arrivals.
	StartNs int64
	// SliceNs is how long it lasted, more than 0.
	SliceNs int64
}

// Config is the machine that is simulated.
type Config struct {
	// CPUs is how many CPUs the jobs share, at least 1.
	CPUs int
	// MinSliceNs is how long a turn lasts at least, unless its job ends
	// sooner. 0 allows it to be ended at any time.
	MinSliceNs int64
}

// DefaultMinSliceNs is the minimum slice of the ALPS artifact's simulator.
const DefaultMinSliceNs = 6_000_000

// Policy simulates one scheduling policy. The turns come ordered by job, and
// those of one job by time. The error is a [*JobError] where a job is at fault.
type Policy func(jobs []Job, cfg Config) ([]Turn, error)

// JobError says what is wrong with one job.
type JobError struct {
	// Job is the index of the job.
	Job int
	// Column is the column of the invocations stream that is at fault.
	Column string
	// Msg says what is wrong.
	Msg string
}

// Error implements error.
func (e *JobError) Error() string {
	return fmt.Sprintf("job %d: %s: %s", e.Job, e.Column, e.Msg)
}

// check refuses what no policy can simulate. As no CPU idles while a job
// waits, everything has ended by the last arrival plus all the CPU time; where
// that is within an int64, so is every time and sum of a simulation.
func check(jobs []Job, cfg Config) error {
	if cfg.CPUs < 1 {
		return fmt.Errorf("simulate on %d CPUs: at least 1 is needed", cfg.CPUs)
	}
	if cfg.MinSliceNs < 0 {
		return fmt.Errorf("simulate a minimum slice of %d ns: it cannot be negative", cfg.MinSliceNs)
	}
	var last, total int64
	for i, j := range jobs {
		switch {
		case j.ArrivalNs < 0:
			return &JobError{i, "arrival_ns", fmt.Sprintf("%d is negative", j.ArrivalNs)}
		case j.CPUNs < 0:
			return &JobError{i, "cpu_ns", fmt.Sprintf("%d is negative", j.CPUNs)}
		}
		last = max(last, j.ArrivalNs)
		if last > math.MaxInt64-total {
			return &JobError{i, "arrival_ns", fmt.Sprintf(
				"%d ns, with all the CPU time before it, passes the end of the clock (%d ns)",
				j.ArrivalNs, int64(math.MaxInt64))}
		}
		if j.CPUNs > math.MaxInt64-last-total {
			return &JobError{i, "cpu_ns", fmt.Sprintf(
				"%d ns, with all the CPU time before it, passes the end of the clock (%d ns)",
				j.CPUNs, int64(math.MaxInt64))}
		}
		total += j.CPUNs
	}
	return nil
}

// arrivalOrder returns the indices of the jobs by arrival, then row. A place in
// this order therefore stands for both tie-breaks at once.
func arrivalOrder(jobs []Job) []int {
	order := make([]int, len(jobs))
	sorted := true
	for i := range jobs {
		order[i] = i
		sorted = sorted && (i == 0 || jobs[i-1].ArrivalNs <= jobs[i].ArrivalNs)
	}
	if sorted {
		return order
	}
	// Sorting values instead of indices into jobs is several times faster.
	arrivals := make([]entry, len(jobs))
	for i, j := range jobs {
		arrivals[i] = entry{j.ArrivalNs, i}
	}
	slices.SortFunc(arrivals, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.place, b.place))
	})
	for place, a := range arrivals {
		order[place] = a.place
	}
	return order
}

// byJob groups turns, which come in order of time, by job.
func byJob(turns []Turn, jobs int) []Turn {
	next := make([]int, jobs+1)
	for _, t := range turns {
		next[t.Job+1]++
	}
	for j := range jobs {
		next[j+1] += next[j]
	}
	grouped := make([]Turn, len(turns))
	for _, t := range turns {
		grouped[next[t.Job]] = t
		next[t.Job]++
	}
	return grouped
}
