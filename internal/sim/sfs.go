package sim

import "fmt"

// SFS is the Smart Function Scheduler (SC'22; the rules are those of its
// artifact, ds2-lab/SFS): functions first have a real-time slice each, first
// come, first served, and then are left to CFS.
//
//   - One queue for all; a free worker, of which each CPU has one, takes the
//     first job of it and lets it run, before all that CFS has, for up to the
//     slice.
//   - The slice is the mean of the last Gaps inter-arrival times multiplied by
//     the CPUs, whole polls of 1 ms and at least FloorNs; FirstNs until there
//     are so many.
//   - Overload: who has waited in the queue for more than three slices goes to
//     CFS at once.
//   - Who sleeps gives its worker back. Awake again it queues for what is left
//     of its slice, and is of CFS where that was used up.
//
// Left out: the polls of a user-space process (a sleep is seen at once), its
// own CPU time, and the throttling of real-time tasks by the kernel.
//
// Fields of 0 stand for the artifact's values.
type SFS struct {
	// Gaps is how many inter-arrival times are looked at: 200.
	Gaps int
	// FirstNs is the slice at first, 20 ms; FloorNs the shortest, 6 ms.
	FirstNs, FloorNs int64
	// Below is CFS for the others.
	Below CFS
}

const (
	sfsGaps     = 200
	sfsFirstNs  = 20_000_000
	sfsFloorNs  = 6_000_000
	sfsPollNs   = 1_000_000
	sfsOverload = 3 // slices that a job waits before it goes to CFS
	maxSFSGaps  = 1_000_000
)

func (p SFS) withDefaults() SFS {
	if p.Gaps == 0 {
		p.Gaps = sfsGaps
	}
	if p.FirstNs == 0 {
		p.FirstNs = sfsFirstNs
	}
	if p.FloorNs == 0 {
		p.FloorNs = sfsFloorNs
	}
	return p
}

func (p SFS) check(jobs []Job, cfg Config) error {
	p = p.withDefaults()
	switch {
	case p.Gaps < 1 || p.Gaps > maxSFSGaps:
		return fmt.Errorf("simulate SFS over %d inter-arrival times: from 1 to %d can be", p.Gaps, maxSFSGaps)
	case p.FirstNs < 1 || p.FloorNs < 1:
		return fmt.Errorf("simulate SFS with slices of %d and %d ns: at least 1 is needed", p.FirstNs, p.FloorNs)
	}
	return p.Below.check(jobs, cfg)
}

func (p SFS) discipline(e *engine) discipline {
	p = p.withDefaults()
	return &sfs{
		SFS: p, e: e, below: newCFS(e, p.Below), sliceNs: p.FirstNs, lastNs: -1,
		gapsNs: make([]int64, 0, p.Gaps), tasks: make([]sfsTask, e.n), first: make([]bool, len(e.cpus)),
	}
}

// sfs is the state of [SFS].
type sfs struct {
	SFS
	e       *engine
	queue   queue
	below   *cfs
	sliceNs int64
	tasks   []sfsTask // by place
	first   []bool    // by CPU: it runs a worker's job

	gapsNs []int64 // the last ones, as a ring
	gapsAt int
	sumNs  int64
	lastNs int64 // the last arrival; -1 before the first
}

type sfsTask struct {
	queuedNs int64
	creditNs int64 // what is left of the slice
	low      bool  // it is left to CFS
	joined   bool  // CFS knows it
}

// arrive takes an arrival into account.
func (s *sfs) arrive() {
	if s.lastNs >= 0 {
		gapNs := s.e.nowNs - s.lastNs
		if len(s.gapsNs) < s.Gaps {
			s.gapsNs = append(s.gapsNs, gapNs)
		} else {
			s.sumNs -= s.gapsNs[s.gapsAt]
			s.gapsNs[s.gapsAt] = gapNs
			s.gapsAt = (s.gapsAt + 1) % s.Gaps
		}
		s.sumNs += gapNs
	}
	s.lastNs = s.e.nowNs
	if len(s.gapsNs) < s.Gaps {
		return
	}
	meanNs := s.sumNs / int64(s.Gaps)
	// As whole polls, up; the bound keeps the product within 64 bits.
	sliceNs := min(meanNs, never/2/int64(len(s.e.cpus))) * int64(len(s.e.cpus))
	s.sliceNs = max((sliceNs+sfsPollNs-1)/sfsPollNs*sfsPollNs, s.FloorNs)
}

func (s *sfs) ready(job int32, why reason) {
	t := &s.tasks[job]
	if why == arrived {
		s.arrive()
		t.creditNs = s.sliceNs
	}
	if t.low {
		s.lower(job, why)
		return
	}
	t.queuedNs = s.e.nowNs
	s.queue.push(job)
}

// overdue leaves those to CFS that have waited in the queue for too long.
func (s *sfs) overdue() {
	for !s.queue.empty() {
		job := s.queue.jobs[s.queue.head]
		if s.e.nowNs-s.tasks[job].queuedNs <= sfsOverload*s.sliceNs {
			return
		}
		s.queue.pop()
		s.lower(job, yielded)
	}
}

// lower makes a job ready under CFS.
func (s *sfs) lower(job int32, why reason) {
	t := &s.tasks[job]
	t.low = true
	if !t.joined {
		t.joined = true
		s.below.join(job)
		return
	}
	s.below.ready(job, why)
}

func (s *sfs) next() int32 {
	s.overdue()
	if job := s.queue.pop(); job != none {
		return job
	}
	return s.below.next()
}

func (s *sfs) started(cpu, job int32) (budgetNs int64) {
	t := &s.tasks[job]
	s.first[cpu] = !t.low
	if t.low {
		return s.below.started(cpu, job)
	}
	return t.creditNs
}

// expired is the end of a slice, or CFS's business.
func (s *sfs) expired(cpu, job int32) (budgetNs int64, goOn bool) {
	if !s.first[cpu] {
		return s.below.expired(cpu, job)
	}
	return 0, false
}

func (s *sfs) stopped(cpu, job int32, ranNs int64) {
	if !s.first[cpu] {
		s.below.stopped(cpu, job, ranNs)
		return
	}
	s.first[cpu] = false
	t := &s.tasks[job]
	t.creditNs -= ranNs
	t.low = t.creditNs <= 0
}

// preempt gives a worker's job the CPU of one of CFS: of the one that is
// furthest ahead of its fair share.
func (s *sfs) preempt() int32 {
	s.overdue()
	if !s.queue.empty() {
		victim := int32(none)
		var furthest vtime
		for n := range s.first {
			cpu := int32(n)
			if s.first[cpu] {
				continue
			}
			ahead := s.below.virtualNow(cpu, s.e.cpus[cpu].job)
			if victim == none || furthest.before(ahead) {
				furthest, victim = ahead, cpu
			}
		}
		if victim != none {
			return victim
		}
	}
	return s.below.preempt()
}
