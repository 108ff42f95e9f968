package sim

// SRPT simulates shortest remaining processing time on cfg.CPUs CPUs.
//
//   - A free CPU goes at once to the waiting job with the least remaining CPU
//     time; ties go to the earlier arrival, then to the earlier row.
//   - A turn may be ended before its job is done only once it has lasted
//     cfg.MinSliceNs, and only for a waiting job that has strictly less
//     remaining than the running one has left. Where several turns may be
//     ended, the one with most remaining is; ties go to the later arrival,
//     then to the later row.
//   - Whatever happens at one instant is taken in this order: jobs that are
//     done leave, new ones arrive, turns reach their minimum slice, free CPUs
//     are given out, turns are ended. So a job that arrives as another one
//     leaves competes for the CPU with all that wait, and no turn lasts 0 ns.
//   - A job that needs no CPU time gets no turn and keeps no one waiting.
//
// A turn that nobody ended is one turn, whatever happened meanwhile.
//
// An arrival ends at most one turn on each CPU, so there are at most
// (CPUs + 1) turns a job; in practice less than two. The cost is O(t log t)
// for t turns.
func SRPT(jobs []Job, cfg Config) ([]Turn, error) {
	if err := check(jobs, cfg); err != nil {
		return nil, err
	}
	s := srpt{
		jobs:       jobs,
		order:      arrivalOrder(jobs),
		minSliceNs: cfg.MinSliceNs,
		freeCPUs:   cfg.CPUs,
		current:    make([]stay, len(jobs)),
		ended:      make([]Turn, 0, 2*len(jobs)),
	}
	for s.advance() {
		s.complete()
		s.arrive()
		s.unprotect()
		s.dispatch()
		s.preempt()
	}
	return byJob(s.ended, len(jobs)), nil
}

// stay is the turn that a job is having.
type stay struct {
	startNs int64
	// endNs is when the job will be done if its turn is not ended before. 0
	// means that it is not running: a turn lasts more than 0 ns.
	endNs int64
}

// srpt is the state of a simulation. Jobs go by their place in the order of
// arrival. All running jobs lose remaining time at the same pace, so they are
// compared by the time at which they will be done, which does not change.
//
// Entries of done, endable and protected outlive the turn that they were made
// for; one is stale when its key is no longer the job's endNs. A job that runs
// again will always be done later than before, so a stale one cannot come true.
type srpt struct {
	jobs       []Job
	order      []int
	minSliceNs int64

	nowNs    int64
	arrived  int // places below this one have arrived
	freeCPUs int
	current  []stay // by place

	waiting heap // remaining ns
	done    heap // running: when done
	endable heap // running for the minimum slice or more: when done, mirrored

	// protected are the running jobs that have not had their minimum slice:
	// when done. As they began in this order, they reach it in this order.
	protected queue

	ended []Turn // in order of their end
}

// queue is a first-in first-out list of entries.
type queue struct {
	entries []entry
	head    int
}

func (q *queue) empty() bool  { return q.head == len(q.entries) }
func (q *queue) first() entry { return q.entries[q.head] }
func (q *queue) dropFirst()   { q.head++ }

func (q *queue) push(e entry) {
	if q.head > 0 && q.head >= len(q.entries)/2 {
		// Entries are moved no more often than dropped.
		q.entries = q.entries[:copy(q.entries, q.entries[q.head:])]
		q.head = 0
	}
	q.entries = append(q.entries, e)
}

// live tells whether e is of a turn that goes on.
func (s *srpt) live(e entry) bool { return s.current[e.place].endNs == e.key }

// advance moves the clock to the next event and tells whether there is one.
func (s *srpt) advance() bool {
	for len(s.done) > 0 && !s.live(s.done[0]) {
		s.done.pop()
	}
	for !s.protected.empty() && !s.live(s.protected.first()) {
		s.protected.dropFirst()
	}
	arrival := s.arrived < len(s.order)
	if !arrival && len(s.done) == 0 {
		return false
	}
	if arrival {
		s.nowNs = s.jobs[s.order[s.arrived]].ArrivalNs
	}
	if len(s.done) > 0 && (!arrival || s.done[0].key < s.nowNs) {
		s.nowNs = s.done[0].key
	}
	// Reaching the minimum slice matters only if somebody waits for it.
	if len(s.waiting) > 0 && !s.protected.empty() {
		s.nowNs = min(s.nowNs, s.minSliceReachedNs(s.protected.first()))
	}
	return true
}

func (s *srpt) minSliceReachedNs(e entry) int64 {
	return s.current[e.place].startNs + s.minSliceNs
}

// complete takes the jobs that are done off their CPUs.
func (s *srpt) complete() {
	for len(s.done) > 0 && s.done[0].key == s.nowNs {
		if e := s.done.pop(); s.live(e) {
			s.stop(e.place)
		}
	}
}

// arrive adds the jobs that arrive now to those that wait.
func (s *srpt) arrive() {
	for ; s.arrived < len(s.order); s.arrived++ {
		job := s.jobs[s.order[s.arrived]]
		if job.ArrivalNs > s.nowNs {
			return
		}
		if job.CPUNs > 0 {
			s.waiting.push(entry{job.CPUNs, s.arrived})
		}
	}
}

// unprotect makes the turns endable that have reached the minimum slice.
func (s *srpt) unprotect() {
	for !s.protected.empty() {
		e := s.protected.first()
		if s.live(e) {
			if s.minSliceReachedNs(e) > s.nowNs {
				return
			}
			s.endable.push(e.mirrored())
		}
		s.protected.dropFirst()
	}
}

// dispatch gives the free CPUs to the waiting jobs with least remaining.
func (s *srpt) dispatch() {
	for s.freeCPUs > 0 && len(s.waiting) > 0 {
		s.start(s.waiting.pop())
	}
}

// preempt ends turns for waiting jobs that have strictly less remaining.
func (s *srpt) preempt() {
	for len(s.waiting) > 0 && len(s.endable) > 0 {
		most := s.endable[0].mirrored()
		leftNs := most.key - s.nowNs
		if leftNs <= 0 {
			// It is done, and so are all below it.
			s.endable = s.endable[:0]
			return
		}
		if s.waiting[0].key >= leftNs {
			return
		}
		s.endable.pop()
		s.stop(most.place)
		s.start(s.waiting.pop())
		s.waiting.push(entry{leftNs, most.place})
	}
}

// start begins a turn for a job that was waiting.
func (s *srpt) start(e entry) {
	remainingNs := e.key
	running := entry{s.nowNs + remainingNs, e.place}
	s.current[e.place] = stay{startNs: s.nowNs, endNs: running.key}
	s.freeCPUs--
	s.done.push(running)
	switch {
	case s.minSliceNs == 0:
		s.endable.push(running.mirrored())
	case remainingNs > s.minSliceNs:
		s.protected.push(running)
	}
}

// stop ends the turn that a job is having.
func (s *srpt) stop(place int) {
	turn := &s.current[place]
	s.ended = append(s.ended, Turn{s.order[place], turn.startNs, s.nowNs - turn.startNs})
	*turn = stay{}
	s.freeCPUs++
}
