package sim

import (
	"fmt"
	"math/bits"

	"alps/internal/patience"
)

// ALPS is the scheduler that alps-load puts into the kernel (bpf/sched.bpf.c;
// docs/alps-load.md has the rules): functions by virtual deadline, with the
// ranks, slices and steps of the table in force; until the first one all are
// system tasks, served fairly.
//
// What the model leaves out: the kernel ends slices at its ticks, which makes
// them longer by up to one; that a task may not run on every CPU; that the
// starvation bound looks only now and then for who has waited too long; threads,
// and whatever a kernel costs but the switches.
type ALPS struct {
	Tables []Table // by FromNs
	// Stretch is how many times as long a function may take as it would if all
	// shared the CPU evenly, on one CPU; see [patience.Ns]. 0 makes ranks strict. At
	// most patience.MaxStretch.
	Stretch int
	// MaxWaitNs is how long a function waits before it is served out of turn;
	// 0: for ever.
	MaxWaitNs int64
}

// What bpf/sched.bpf.c has under the same names.
const (
	fairSliceNs     = 3_000_000
	promotedSliceNs = 1_000_000
	overdueScans    = 8
	overdueRoundNs  = 8_000_000
	alpsRankNs      = 1 << 40

	keySystem = -1 // before all functions
)

func (p ALPS) check(jobs []Job, _ Config) error {
	if p.Stretch < 0 || p.Stretch > patience.MaxStretch {
		return fmt.Errorf("simulate a stretch of %d: it is from 0 to %d", p.Stretch, patience.MaxStretch)
	}
	if p.MaxWaitNs < 0 {
		return fmt.Errorf("simulate a longest wait of %d ns: it cannot be negative", p.MaxWaitNs)
	}
	if err := checkLate(jobs); err != nil {
		return err
	}
	if err := checkTables(p.Tables); err != nil {
		return err
	}
	turnNs := int64(fairSliceNs)
	if p.MaxWaitNs > 0 {
		turnNs = promotedSliceNs // also of ordinary ones, while somebody is overdue
	}
	return checkEvents(jobs, turnNs, "fewer or shorter invocations")
}

// checkLate refuses arrivals to which no patience can be added.
func checkLate(jobs []Job) error {
	for i := range jobs {
		if jobs[i].ArrivalNs > never/2 {
			return &JobError{i, "arrival_ns", fmt.Sprintf("%d ns is too near to the end of the clock (%d ns) for a deadline after it",
				jobs[i].ArrivalNs, int64(never))}
		}
	}
	return nil
}

func (p ALPS) discipline(e *engine) discipline {
	return &alps{e: e, ALPS: p, tasks: make([]alpsTask, e.n), running: make([]running, len(e.cpus)), table: -1}
}

// alps is the state of [ALPS].
type alps struct {
	ALPS
	e       *engine
	table   int               // index of the table in force; -1 for none
	needs   map[uint32]uint64 // by rank, ns
	tasks   []alpsTask        // by place
	running []running         // by CPU

	// fresh are the jobs that have become ready at freshNs; from freshAt on,
	// nobody's turn has been ended for them yet.
	fresh   []int32
	freshNs int64
	freshAt int

	// Entries of jobs that no longer wait stay in byDeadline and byWait until
	// they come up.
	system     heap // virtual time
	byDeadline heap // key
	byWait     heap // since when

	systemVtime int64
	fairNs      int64 // fair time, as of fairAtNs
	fairAtNs    int64
	runnable    uint64 // functions that run or wait
	ordinaryNs  int64  // until when nobody is served out of turn
}

// alpsTask is task_ctx of the scheduler.
type alpsTask struct {
	arrivedNs  int64 // fair time of its arrival
	key        int64 // keySystem, or the deadline for the slice at hand
	patienceNs int64 // the part of the key that is its rank's; system tasks: 0
	vtime      int64
	countedNs  int64 // attained CPU time that is in vtime
	sliceEndNs int64 // attained CPU time at which the slice is used up
	queuedNs   int64 // since when it waits
	sliceNs    int64 // what the next turn gets
	counted    bool  // in runnable
	state      taskState
}

// running is what a CPU runs: the key and the patience of its job.
type running struct {
	key, patienceNs int64
}

type taskState uint8

const (
	toBe taskState = iota
	waiting
	onCPU
	promoted
	asleep
)

// decide gives a task its key and slice, as the function of that name does.
func (s *alps) decide(job int32) {
	t := &s.tasks[job]
	steps := s.stepsNow(s.e.job(job).Class)
	attainedNs := s.e.attainedNs(job)
	s.account(t, attainedNs)
	if len(steps) == 0 {
		t.vtime = max(t.vtime, s.systemVtime-fairSliceNs)
		t.key, t.patienceNs, t.sliceNs = keySystem, 0, fairSliceNs
		return
	}
	if t.key != keySystem && t.sliceEndNs > attainedNs {
		t.sliceNs = t.sliceEndNs - attainedNs
		return
	}
	step, untilNs := stepAt(steps, attainedNs)
	t.sliceNs = step.SliceNs
	if t.sliceNs == 0 {
		t.sliceNs = fairSliceNs
	}
	t.sliceNs = min(t.sliceNs, untilNs-attainedNs)
	t.sliceEndNs = attainedNs + t.sliceNs
	patienceNs := int64(step.Rank) * alpsRankNs
	if s.needs != nil {
		needNs := s.needs[uint32(step.Rank)]
		if len(steps) == 1 {
			needNs = max(needNs, uint64(min(attainedNs, alpsRankNs)/2))
		}
		patienceNs = int64(patience.Ns(needNs, s.Stretch, len(s.running)))
	}
	t.patienceNs = patienceNs
	t.key = t.arrivedNs + patienceNs
}

// stepsNow returns the steps of a class in the table in force.
func (s *alps) stepsNow(class int32) []Step {
	for s.table+1 < len(s.Tables) && s.Tables[s.table+1].FromNs <= s.e.nowNs {
		s.table++
		s.needs = s.Tables[s.table].needs(s.Stretch)
	}
	if s.table < 0 {
		return nil
	}
	return s.Tables[s.table].steps(class)
}

// account adds what a system task has used to its virtual time.
func (s *alps) account(t *alpsTask, attainedNs int64) {
	if t.key == keySystem {
		t.vtime += attainedNs - t.countedNs
	}
	t.countedNs = attainedNs
}

func (s *alps) ready(job int32, why reason) {
	t := &s.tasks[job]
	s.advanceFair()
	if why == arrived {
		t.key = keySystem
		t.vtime = s.systemVtime
		t.arrivedNs = s.fairNs
	}
	s.decide(job)
	s.countRunnable(t, t.key != keySystem)
	t.state = waiting
	t.queuedNs = s.e.nowNs
	if s.freshNs != s.e.nowNs {
		s.fresh, s.freshNs, s.freshAt = s.fresh[:0], s.e.nowNs, 0
	}
	s.fresh = append(s.fresh, job)
	if t.key == keySystem {
		s.system.push(entry{t.vtime, int(job)})
		return
	}
	s.byDeadline.push(entry{t.key, int(job)})
	if s.MaxWaitNs > 0 {
		s.byWait.push(entry{t.queuedNs, int(job)})
	}
}

// first returns the waiting function with the earliest deadline.
func (s *alps) first() (e entry, ok bool) {
	for len(s.byDeadline) > 0 {
		e := s.byDeadline[0]
		if t := &s.tasks[e.place]; t.state == waiting && t.key == e.key {
			return e, true
		}
		s.byDeadline.pop()
	}
	return entry{}, false
}

// overdue returns the function that has waited longest, if for too long.
func (s *alps) overdue() int32 {
	if s.MaxWaitNs == 0 {
		return none
	}
	for len(s.byWait) > 0 {
		e := s.byWait[0]
		if t := &s.tasks[e.place]; t.state != waiting || t.queuedNs != e.key {
			s.byWait.pop()
			continue
		}
		if s.e.nowNs-e.key > s.overdueAfterNs() {
			return int32(e.place)
		}
		break
	}
	return none
}

// overdueAfterNs is what overdue_after_ns is in the scheduler.
func (s *alps) overdueAfterNs() int64 {
	roundNs := int64(s.runnable)*overdueRoundNs/int64(len(s.running)) + s.MaxWaitNs/overdueScans
	return s.MaxWaitNs - min(roundNs, s.MaxWaitNs/2)
}

// advanceFair brings fair time up to now. It goes at the speed at which each
// runnable function would run if they shared the CPUs evenly.
func (s *alps) advanceFair() {
	ns, cpus := uint64(s.e.nowNs-s.fairAtNs), uint64(len(s.running))
	s.fairAtNs = s.e.nowNs
	if s.runnable > cpus {
		high, low := bits.Mul64(ns, cpus)
		ns, _ = bits.Div64(high, low, s.runnable)
	}
	s.fairNs += int64(ns)
}

// countRunnable counts a task, or not, among the runnable functions from now on.
func (s *alps) countRunnable(t *alpsTask, yes bool) {
	switch {
	case yes && !t.counted:
		s.runnable++
	case !yes && t.counted:
		s.runnable--
	}
	t.counted = yes
}

// starved returns who is to be served out of turn now.
func (s *alps) starved() int32 {
	if s.e.nowNs < s.ordinaryNs {
		return none
	}
	return s.overdue()
}

// turnNs is how long an ordinary turn may be of a task that has so much left of
// its slice.
func (s *alps) turnNs(sliceNs int64) int64 {
	if s.overdue() == none {
		return sliceNs
	}
	return min(sliceNs, max(s.ordinaryNs-s.e.nowNs, promotedSliceNs))
}

func (s *alps) next() int32 {
	if job := s.starved(); job != none {
		s.tasks[job].state = promoted
		return job
	}
	if len(s.system) > 0 {
		return int32(s.system.pop().place)
	}
	e, ok := s.first()
	if !ok {
		return none
	}
	s.byDeadline.pop()
	// Now, not when it starts: who has been served out of turn may be among them
	// twice, and several CPUs are given out at once.
	s.tasks[e.place].state = onCPU
	return int32(e.place)
}

func (s *alps) started(cpu, job int32) (budgetNs int64) {
	t := &s.tasks[job]
	if t.state == promoted {
		s.running[cpu] = running{keySystem, 0}
		return promotedSliceNs
	}
	t.state = onCPU
	s.running[cpu] = running{t.key, t.patienceNs}
	if t.key == keySystem {
		s.systemVtime = max(s.systemVtime, t.vtime)
		return t.sliceNs
	}
	return s.turnNs(t.sliceNs)
}

func (s *alps) expired(cpu, job int32) (budgetNs int64, goOn bool) {
	t := &s.tasks[job]
	s.decide(job)
	s.advanceFair()
	s.countRunnable(t, t.key != keySystem)
	switch {
	case s.starved() != none:
		return 0, false
	case t.key == keySystem:
		if len(s.system) > 0 && s.system[0].key < t.vtime {
			return 0, false
		}
		s.systemVtime = max(s.systemVtime, t.vtime)
	case len(s.system) > 0:
		return 0, false
	default:
		if e, ok := s.first(); ok && e.key < t.key {
			return 0, false
		}
	}
	t.state = onCPU
	s.running[cpu] = running{t.key, t.patienceNs}
	if t.key == keySystem {
		return t.sliceNs, true
	}
	return s.turnNs(t.sliceNs), true
}

func (s *alps) stopped(cpu, job int32, ranNs int64) {
	t := &s.tasks[job]
	s.advanceFair()
	s.countRunnable(t, false)
	if t.state == promoted {
		// As much time again is for those whose turn it is.
		s.ordinaryNs = s.e.nowNs + ranNs/int64(len(s.running))
	}
	s.account(t, s.e.attainedNs(job))
	t.state = asleep
}

// preempt ends, for a job that has become ready, the turn with the latest key of a
// worse rank.
func (s *alps) preempt() int32 {
	if s.freshNs != s.e.nowNs {
		return none
	}
	for s.freshAt < len(s.fresh) {
		t := &s.tasks[s.fresh[s.freshAt]]
		s.freshAt++
		if t.state != waiting {
			continue
		}
		latest, victim := t.key, int32(none)
		for n, r := range s.running {
			if r.key > latest && r.patienceNs > t.patienceNs {
				latest, victim = r.key, int32(n)
			}
		}
		if victim != none {
			return victim
		}
	}
	return none
}
