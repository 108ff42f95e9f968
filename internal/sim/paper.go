package sim

import pq "container/heap"

// ALPSPaper is ALPS as the paper has it (ATC'24), which changes two decisions of
// CFS: a job goes on while its guaranteed slice lasts, whoever comes; and of
// those that wait, a better rank goes first, within a rank the least virtual
// time. When the slice is over, and for classes without one, CFS decides: a tick
// ends the turn when CFS's own slice is over and somebody waits. Classes that
// are not in the table are the system's, before all ranks.
//
// The rank is that of the class whatever a job has used, as in the paper: of a
// table with steps, the first one counts.
//
// It simplifies CFS in what that decides: waking up ends no turn, and a newcomer
// starts at the least virtual time of those that wait or run.
type ALPSPaper struct {
	Tables []Table // by FromNs
	// Below has CFS's times; its wakeup granularity is of no effect.
	Below CFS
}

func (p ALPSPaper) check(jobs []Job, cfg Config) error {
	if err := checkTables(p.Tables); err != nil {
		return err
	}
	return p.Below.check(jobs, cfg)
}

func (p ALPSPaper) discipline(e *engine) discipline {
	return &paper{e: e, tables: p.Tables, table: -1, cfs: p.Below.withDefaults(len(e.cpus)), usedNs: make([]int64, e.n)}
}

// paper is the state of [ALPSPaper].
type paper struct {
	e       *engine
	cfs     CFS
	tables  []Table
	table   int
	waiting rankHeap
	usedNs  []int64 // virtual time, by place
	leastNs int64   // virtual time of the job that ran last
}

func (s *paper) steps(job int32) []Step {
	for s.table+1 < len(s.tables) && s.tables[s.table+1].FromNs <= s.e.nowNs {
		s.table++
	}
	if s.table < 0 {
		return nil
	}
	return s.tables[s.table].steps(s.e.job(job).Class)
}

func (s *paper) ready(job int32, why reason) {
	rank := int32(0)
	if steps := s.steps(job); len(steps) > 0 {
		rank = steps[0].Rank
	}
	switch why {
	case arrived:
		s.usedNs[job] = s.leastNs
	case woken:
		s.usedNs[job] = max(s.usedNs[job], s.leastNs-s.cfs.LatencyNs/2)
	}
	pq.Push(&s.waiting, ranked{rank, entry{s.usedNs[job], int(job)}})
}

func (s *paper) next() int32 {
	if len(s.waiting) == 0 {
		return none
	}
	return int32(pq.Pop(&s.waiting).(ranked).place)
}

func (s *paper) started(_, job int32) (budgetNs int64) {
	s.leastNs = max(s.leastNs, s.usedNs[job])
	if steps := s.steps(job); len(steps) > 0 && steps[0].SliceNs > 0 {
		return steps[0].SliceNs
	}
	return s.fairNs()
}

// fairNs is how long CFS would let a job run now, whole ticks.
func (s *paper) fairNs() int64 {
	each := (len(s.waiting)+len(s.e.cpus)-1)/len(s.e.cpus) + 1
	sliceNs := max(s.cfs.LatencyNs/int64(each), s.cfs.MinGranularityNs)
	return (sliceNs + s.cfs.TickNs - 1) / s.cfs.TickNs * s.cfs.TickNs
}

func (s *paper) expired(_, _ int32) (budgetNs int64, goOn bool) {
	if len(s.waiting) == 0 {
		return s.cfs.TickNs, true
	}
	return 0, false
}

func (s *paper) stopped(_, job int32, ranNs int64) { s.usedNs[job] += ranNs }

func (s *paper) preempt() int32 { return none }

// ranked is a waiting job with what orders it.
type ranked struct {
	rank int32
	entry
}

// rankHeap is a container/heap, the first to be served on top.
type rankHeap []ranked

func (h rankHeap) Len() int      { return len(h) }
func (h rankHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *rankHeap) Push(x any)   { *h = append(*h, x.(ranked)) }

func (h rankHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	return a.rank < b.rank || a.rank == b.rank && a.entry.less(b.entry)
}

func (h *rankHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
