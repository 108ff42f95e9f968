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
	// BlockNs is how long it sleeps in all, in Sleeps sleeps of the same
	// length. The CPU time is spread evenly over the Sleeps + 1 bursts around
	// them. Both at least 0; with Sleeps 0 it does not sleep.
	BlockNs int64
	// Sleeps is at most MaxSleeps.
	Sleeps int32
	// Class is the index of its class, at least 0, for policies that go by
	// classes.
	Class int32
}

const (
	// MaxJobs is the most jobs of one simulation.
	MaxJobs = math.MaxInt32
	// MaxSleeps is the most sleeps of one job.
	MaxSleeps = 1_000_000
	// MaxCPUs is the most CPUs that can be simulated.
	MaxCPUs = 1 << 16
)

// Turn is one uninterrupted stay of a job on a CPU.
type Turn struct {
	// Job is the index of the job.
	Job int
	// StartNs is when the turn began, on the clock of the arrivals.
	StartNs int64
	// SliceNs is how long it lasted, more than 0.
	SliceNs int64
}

// Config is the machine that is simulated, and what is wanted of it.
type Config struct {
	// CPUs is how many CPUs the jobs share, 1 to MaxCPUs.
	CPUs int
	// SwitchCostNs is what a CPU spends, before a turn begins, on a job other
	// than the one that it ran before. It is nobody's CPU time.
	SwitchCostNs int64
	// KeepTurns asks for the turns instead of the ends.
	KeepTurns bool
}

// Result is what became of the jobs. All slices but Turns go by row.
type Result struct {
	// Turns are ordered by job, and those of one job by time. Only with
	// Config.KeepTurns; the other fields are nil then.
	Turns []Turn
	// EndNs is when each job was done, on the clock of the arrivals.
	EndNs []int64
	// Switches is how often each job left a CPU: the number of its turns.
	Switches []uint32
}

// Policy is a scheduling policy: one of the types of this package.
type Policy interface {
	// check tells what is wrong with the policy's parameters for these jobs.
	// They have been checked by themselves.
	check(jobs []Job, cfg Config) error
	discipline(e *engine) discipline
}

// Simulate runs the jobs under the policy to their end. The same values in give
// the same values out. The error is a [*JobError] where a job is at fault.
//
// The cost is O(t log t) for t turns and events of the policy. Many jobs under SRPT
// on one CPU are simulated on several CPUs of the machine that this runs on.
func Simulate(jobs []Job, cfg Config, p Policy) (*Result, error) {
	if err := check(jobs, cfg); err != nil {
		return nil, err
	}
	if err := p.check(jobs, cfg); err != nil {
		return nil, err
	}
	return simulate(jobs, cfg, p)
}

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
// waits, everything has ended by the last arrival plus all the CPU time and all
// sleeps; where that is within an int64, so is every time and sum of a
// simulation without switch costs.
func check(jobs []Job, cfg Config) error {
	if cfg.CPUs < 1 || cfg.CPUs > MaxCPUs {
		return fmt.Errorf("simulate on %d CPUs: from 1 to %d can be", cfg.CPUs, MaxCPUs)
	}
	if cfg.SwitchCostNs < 0 {
		return fmt.Errorf("simulate a switch cost of %d ns: it cannot be negative", cfg.SwitchCostNs)
	}
	if len(jobs) > MaxJobs {
		return fmt.Errorf("simulate %d jobs: at most %d can be", len(jobs), MaxJobs)
	}
	var last, total int64
	for i := range jobs {
		j := &jobs[i]
		switch {
		case j.ArrivalNs < 0:
			return &JobError{i, "arrival_ns", fmt.Sprintf("%d is negative", j.ArrivalNs)}
		case j.CPUNs < 0:
			return &JobError{i, "cpu_ns", fmt.Sprintf("%d is negative", j.CPUNs)}
		case j.BlockNs < 0:
			return &JobError{i, "block_ns", fmt.Sprintf("%d is negative", j.BlockNs)}
		case j.Sleeps < 0 || j.Sleeps > MaxSleeps:
			return &JobError{i, "sleeps", fmt.Sprintf("%d is not from 0 to %d", j.Sleeps, MaxSleeps)}
		case j.Class < 0:
			return &JobError{i, "class", fmt.Sprintf("index %d is negative", j.Class)}
		}
		last = max(last, j.ArrivalNs)
		// The last nanosecond is the engine's for never.
		if room := math.MaxInt64 - 1 - last - total; j.CPUNs <= room && j.BlockNs <= room-j.CPUNs && room >= 0 {
			total += j.CPUNs + j.BlockNs
			continue
		}
		for _, part := range [...]struct {
			column    string
			ns, addNs int64
		}{
			{"arrival_ns", j.ArrivalNs, 0},
			{"cpu_ns", j.CPUNs, j.CPUNs},
			{"block_ns", j.BlockNs, j.BlockNs},
		} {
			if part.addNs > math.MaxInt64-1-last-total {
				return &JobError{i, part.column, fmt.Sprintf(
					"%d ns, with all the CPU time and sleep before it, passes the end of the clock (%d ns)",
					part.ns, int64(math.MaxInt64))}
			}
			total += part.addNs
		}
	}
	return nil
}

// arrivalOrder returns the indices of the jobs by arrival, then row, or nil if
// that is how they are. A place in this order therefore stands for both
// tie-breaks at once.
func arrivalOrder(jobs []Job) []int32 {
	sorted := true
	for i := 1; i < len(jobs) && sorted; i++ {
		sorted = jobs[i-1].ArrivalNs <= jobs[i].ArrivalNs
	}
	if sorted {
		return nil
	}
	// Sorting values instead of indices into jobs is several times faster.
	arrivals := make([]entry, len(jobs))
	for i := range jobs {
		arrivals[i] = entry{jobs[i].ArrivalNs, i}
	}
	slices.SortFunc(arrivals, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.place, b.place))
	})
	order := make([]int32, len(jobs))
	for place, a := range arrivals {
		order[place] = int32(a.place)
	}
	return order
}
