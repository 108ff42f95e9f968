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
	lateTurnNs      = 8_000_000
	lateLeadNs      = 16_000_000
	lateLeadMaxNs   = lateLeadNs + lateTurnNs

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

	// Entries of jobs that no longer wait there stay in byDeadline, byLate and
	// byWait until they come up.
	system     heap // virtual time
	byDeadline heap // key; those on time, and those of whom it is not yet seen that they are not
	byLate     heap // key
	byWait     heap // since when

	systemVtime int64
	fairNs      int64 // fair time, as of fairAtNs
	fairAtNs    int64
	runnable    uint64 // functions that run or wait
	ordinaryNs  int64  // until when nobody is served out of turn
	leadNs      int64  // CPU time that those on time have had more than those who are late
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
	late       bool  // in byLate, if it waits; else it runs on the time of those who are late
	state      taskState
}

// running is what a CPU runs: the key and the patience of its job, on whose time it is,
// and since when that is not in the lead.
type running struct {
	key, patienceNs int64
	side            side
	sinceNs         int64
}

// side is one of the two that share the time of functions, see [alps.choose].
type side int8

const (
	noSide side = iota
	onTime
	late
)

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
	t.late = false
	s.byDeadline.push(entry{t.key, int(job)})
	if s.MaxWaitNs > 0 {
		s.byWait.push(entry{t.queuedNs, int(job)})
	}
}

// first returns the function with the earliest deadline of those who wait, on time or
// late; none if there is none.
func (s *alps) first(side side) int32 {
	queue := &s.byDeadline
	if side == late {
		queue = &s.byLate
	}
	for len(*queue) > 0 {
		e := (*queue)[0]
		if t := &s.tasks[e.place]; t.state == waiting && t.key == e.key && t.late == (side == late) {
			return int32(e.place)
		}
		queue.pop()
	}
	return none
}

// findLate moves those who are past their deadlines.
func (s *alps) findLate() {
	s.advanceFair()
	for job := s.first(onTime); job != none && s.isLate(&s.tasks[job]); job = s.first(onTime) {
		s.byDeadline.pop()
		s.tasks[job].late = true
		s.byLate.push(entry{s.tasks[job].key, int(job)})
	}
}

func (s *alps) isLate(t *alpsTask) bool { return t.key < s.fairNs }

// choose returns the function whose turn it is; the one that a CPU runs is among them,
// if there is one.
//
// Those who are late have half of the time, those on time the other half, if there are
// some of both: turn about, lateTurnNs each. But one on time of a better rank than the
// first of the late ones need not wait for that as long as those on time have not had
// lateLeadNs more.
func (s *alps) choose(runs int32) int32 {
	s.findLate()
	soon, behind := s.first(onTime), s.first(late)
	if runs != none {
		t := &s.tasks[runs]
		side := &soon
		if s.isLate(t) {
			side = &behind
		}
		if *side == none || s.tasks[*side].key >= t.key {
			*side = runs
		}
	}
	switch {
	case behind == none:
		return soon
	case soon == none:
		return behind
	}
	s.settleAll()
	s.leadNs = min(max(s.leadNs, -lateLeadMaxNs), lateLeadMaxNs)
	if s.lateFirst(s.tasks[soon].patienceNs < s.tasks[behind].patienceNs) {
		return behind
	}
	return soon
}

// lateFirst tells whether those who are late go before those on time, where the first
// of these may be of a better rank.
func (s *alps) lateFirst(better bool) bool {
	if better {
		return s.leadNs > lateLeadNs
	}
	return s.leadNs > 0
}

// run notes what a CPU runs from now on.
func (s *alps) run(cpu int32, t *alpsTask) {
	r := running{key: t.key, patienceNs: t.patienceNs, sinceNs: s.e.nowNs}
	switch {
	case t.state == promoted:
		r.key, r.patienceNs = keySystem, 0
	case t.key == keySystem:
	case t.late:
		r.side = late
	default:
		r.side = onTime
	}
	s.running[cpu] = r
}

// settle adds what a CPU has run to the lead.
func (s *alps) settle(r *running) {
	ranNs := max(s.e.nowNs-r.sinceNs, 0)
	switch r.side {
	case onTime:
		s.leadNs += ranNs
	case late:
		s.leadNs -= ranNs
	}
	r.sinceNs = s.e.nowNs
}

func (s *alps) settleAll() {
	for i := range s.running {
		s.settle(&s.running[i])
	}
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

// turnNs is how long an ordinary turn of a function may be.
func (s *alps) turnNs(t *alpsTask) int64 {
	turnNs := t.sliceNs
	s.findLate()
	if t.late && s.first(onTime) != none || !t.late && s.first(late) != none {
		turnNs = min(turnNs, lateTurnNs)
	}
	if s.overdue() != none {
		turnNs = min(turnNs, max(s.ordinaryNs-s.e.nowNs, promotedSliceNs))
	}
	return turnNs
}

func (s *alps) next() int32 {
	if job := s.starved(); job != none {
		s.tasks[job].state = promoted
		return job
	}
	if len(s.system) > 0 {
		return int32(s.system.pop().place)
	}
	job := s.choose(none)
	if job == none {
		return none
	}
	t := &s.tasks[job]
	if t.late {
		s.byLate.pop()
	} else {
		s.byDeadline.pop()
	}
	// Now, not when it starts: who has been served out of turn may be among them
	// twice, and several CPUs are given out at once.
	t.state = onCPU
	return job
}

func (s *alps) started(cpu, job int32) (budgetNs int64) {
	t := &s.tasks[job]
	s.run(cpu, t)
	if t.state == promoted {
		return promotedSliceNs
	}
	t.state = onCPU
	if t.key == keySystem {
		s.systemVtime = max(s.systemVtime, t.vtime)
		return t.sliceNs
	}
	return s.turnNs(t)
}

func (s *alps) expired(cpu, job int32) (budgetNs int64, goOn bool) {
	t := &s.tasks[job]
	s.settle(&s.running[cpu])
	s.running[cpu].side = noSide
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
	case s.choose(job) != job:
		return 0, false
	}
	t.state = onCPU
	t.late = t.key != keySystem && s.isLate(t)
	s.run(cpu, t)
	if t.key == keySystem {
		return t.sliceNs, true
	}
	return s.turnNs(t), true
}

func (s *alps) stopped(cpu, job int32, ranNs int64) {
	t := &s.tasks[job]
	s.settle(&s.running[cpu])
	s.running[cpu].side = noSide
	s.advanceFair()
	s.countRunnable(t, false)
	if t.state == promoted {
		// As much time again is for those whose turn it is.
		s.ordinaryNs = s.e.nowNs + ranNs/int64(len(s.running))
	}
	s.account(t, s.e.attainedNs(job))
	t.state = asleep
}

// preempt ends a turn for a job that has become ready: the one with the latest key of a
// worse rank; or else, for one on time, a late one of a worse rank.
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
		if victim := s.victim(t); victim != none {
			return victim
		}
	}
	return none
}

func (s *alps) victim(t *alpsTask) int32 {
	latest, worst := t.key, t.patienceNs
	victim, lateVictim := int32(none), int32(none)
	for n, r := range s.running {
		if r.key > latest && r.patienceNs > t.patienceNs {
			latest, victim = r.key, int32(n)
		}
		if r.side == late && r.patienceNs > worst {
			worst, lateVictim = r.patienceNs, int32(n)
		}
	}
	if t.key == keySystem {
		return victim
	}
	s.settleAll()
	s.advanceFair()
	switch {
	case s.isLate(t) && !s.lateFirst(false):
		return none
	case victim == none && !s.isLate(t) && !s.lateFirst(true):
		return lateVictim
	}
	return victim
}
