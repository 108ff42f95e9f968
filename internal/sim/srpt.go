package sim

import "fmt"

// DefaultMinSliceNs is the minimum slice of the ALPS artifact's simulator.
const DefaultMinSliceNs = 6_000_000

// SRPT is shortest remaining processing time.
//
//   - A free CPU goes at once to the waiting job with the least remaining CPU
//     time; ties go to the earlier arrival, then to the earlier row.
//   - A turn may be ended before its job is done only once it has lasted
//     MinSliceNs, and only for a waiting job that has strictly less remaining
//     than the running one has left. Where several turns may be ended, the one
//     with most remaining is; ties go to the later arrival, then to the later
//     row.
//   - Whatever happens at one instant is taken in this order: jobs that are
//     done leave, new ones arrive, turns reach their minimum slice, free CPUs
//     are given out, turns are ended. So a job that arrives as another one
//     leaves competes for the CPU with all that wait, and no turn lasts 0 ns.
//   - A job that needs no CPU time gets no turn and keeps no one waiting.
//   - Time asleep and switch costs are no processing time. Where switches cost
//     something, a turn lasts at least 1 ns, so that none is for nothing.
//
// A turn that nobody ended is one turn, whatever happened meanwhile.
//
// An arrival ends at most one turn on each CPU, so there are at most
// (CPUs + 1) turns a job that does not sleep; in practice less than two.
type SRPT struct {
	// MinSliceNs is how long a turn lasts at least, unless its job ends or
	// sleeps sooner. 0 allows it to be ended at any time.
	MinSliceNs int64
	// PredictedNs, if not nil, has for each row the CPU time that the job is
	// thought to need. The order goes by what is thought to remain: that, less
	// what the job has used, or 0 once it has used more than was thought.
	PredictedNs []int64
}

func (p SRPT) check(jobs []Job, cfg Config) error {
	if p.MinSliceNs < 0 {
		return fmt.Errorf("simulate a minimum slice of %d ns: it cannot be negative", p.MinSliceNs)
	}
	if p.PredictedNs == nil {
		return nil
	}
	if len(p.PredictedNs) != len(jobs) {
		return fmt.Errorf("simulate %d jobs with %d predictions", len(jobs), len(p.PredictedNs))
	}
	for i, ns := range p.PredictedNs {
		if ns < 0 || ns > never/2 || jobs[i].ArrivalNs > never/4 {
			return &JobError{i, "cpu_ns", fmt.Sprintf("the prediction of %d ns is negative or beyond the clock", ns)}
		}
	}
	return nil
}

func (p SRPT) discipline(e *engine) discipline {
	if e.switchCostNs > 0 {
		p.MinSliceNs = max(p.MinSliceNs, 1)
	}
	return &srpt{e: e, SRPT: p, doneNs: make([]int64, len(e.cpus))}
}

// srpt is the state of [SRPT]. All running jobs lose remaining time at the same
// pace, so they are compared by the time at which they will be done, which does
// not change.
type srpt struct {
	SRPT
	e *engine

	waiting heap // remaining ns
	// endable has the jobs that have run for the minimum slice: when done,
	// mirrored. An entry outlives the turn that it was made for; it is stale
	// when the job does not run or its key is no longer the job's doneNs. A job
	// that runs again will be done later than before, or its new turn is not yet
	// endable.
	endable heap
	doneNs  []int64 // by CPU: when the job that runs there will be done
}

// remainingNs is what is thought to remain of a job that does not run.
func (s *srpt) remainingNs(job int32) int64 {
	leftNs := s.e.states[job].leftNs
	if s.PredictedNs == nil {
		return leftNs
	}
	row := s.e.row(job)
	return max(s.PredictedNs[row]-(s.e.jobs[row].CPUNs-leftNs), 0)
}

func (s *srpt) ready(job int32, _ reason) {
	s.waiting.push(entry{s.remainingNs(job), int(job)})
}

func (s *srpt) next() int32 {
	if len(s.waiting) == 0 {
		return none
	}
	return int32(s.waiting.pop().place)
}

func (s *srpt) started(cpu, job int32) (budgetNs int64) {
	s.doneNs[cpu] = s.e.cpus[cpu].sinceNs + s.remainingNs(job)
	if s.MinSliceNs > 0 {
		return s.MinSliceNs
	}
	s.makeEndable(cpu, job)
	return 0
}

func (s *srpt) makeEndable(cpu, job int32) {
	s.endable.push(entry{s.doneNs[cpu], int(job)}.mirrored())
}

func (s *srpt) expired(cpu, job int32) (budgetNs int64, goOn bool) {
	s.makeEndable(cpu, job)
	return 0, true
}

func (s *srpt) stopped(_, _ int32, _ int64) {}

func (s *srpt) preempt() int32 {
	if len(s.waiting) == 0 {
		return none
	}
	for len(s.endable) > 0 {
		most := s.endable[0].mirrored()
		if most.key <= s.e.nowNs {
			// It is done, or thought to be, and so are all below it.
			s.endable = s.endable[:0]
			return none
		}
		n := s.e.states[most.place].cpu
		cpu := &s.e.cpus[n]
		if int(cpu.job) != most.place || s.doneNs[n] != most.key || cpu.sinceNs > s.e.nowNs-s.MinSliceNs {
			s.endable.pop()
			continue
		}
		if s.waiting[0].key >= most.key-s.e.nowNs {
			return none
		}
		s.endable.pop()
		return n
	}
	return none
}
