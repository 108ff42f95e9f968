package sim

import (
	"fmt"
	"math"
	"math/bits"
)

// never is later than any time of a simulation.
const never = math.MaxInt64

// A discipline decides who runs. The engine tells it what becomes of the jobs
// and asks it whom to run; it keeps the queues. Jobs go by their place in the
// order of arrival, then row, so that comparing places breaks ties as the
// contract says. CPUs go by their number from 0.
//
// Whatever happens at one instant comes in this order: bursts end, jobs become
// ready (arrivals before those that wake), turns whose budget is used up are
// asked about, free CPUs are given out, turns are ended for others.
type discipline interface {
	// ready takes a job that wants a CPU into a queue.
	ready(job int32, why reason)
	// next takes the job that is to run next out of its queue; none if no job
	// waits.
	next() int32
	// started tells that a job begins to run on a CPU, and returns after how
	// much of its CPU time the discipline wants to be asked about it; 0 for
	// not at all.
	started(cpu, job int32) (budgetNs int64)
	// expired asks about a job whose budget is used up: it may go on for
	// another budget (0: with none), or it leaves its CPU and is ready again.
	// It comes before the same job's ready(job, yielded).
	expired(cpu, job int32) (budgetNs int64, goOn bool)
	// stopped tells that a job has left its CPU after ranNs of its CPU time,
	// to be ready again, asleep or done. Where a job is ready again, this
	// comes first.
	stopped(cpu, job int32, ranNs int64)
	// preempt returns a CPU whose turn is to end now for a job that waits, or
	// none. It is asked only when no CPU is free. The job that next returns
	// after it gets the CPU; the one that ran is ready before that.
	preempt() int32
}

// none stands for no job and for no CPU.
const none = -1

// reason says why a job is ready.
type reason uint8

const (
	arrived   reason = iota
	woken            // from a sleep within the invocation
	yielded          // its budget was used up
	preempted        // its turn was ended for another job
)

// engine simulates one machine. It knows time, CPUs and jobs; what it runs is
// up to the discipline.
type engine struct {
	jobs  []Job   // of the whole simulation
	order []int32 // rows of the jobs by arrival, then row; nil if they are in that order
	// Of that order it runs n jobs from the place base on. Places count from there.
	base, n int
	d       discipline

	nowNs        int64
	switchCostNs int64
	nextArrival  int32 // places below this one have arrived
	arrivalNs    int64 // when that one does; never if there is none
	states       []state
	cpus         []cpu
	due          cpuHeap
	free         cpuSet
	sleepers     heap    // when they wake
	expiredCPUs  []int32 // whose budget is used up now
	picked       []int32
	overflow     bool // the clock has passed its end

	turns    []Turn // in order of their end, if keepTurns
	keep     bool
	endNs    []int64 // by row
	switches []uint32
}

// state is what the engine knows of a job.
type state struct {
	// leftNs is the CPU time that it still needs, burstNs the part of it
	// before the next sleep; both as of the last time it began to run.
	leftNs, burstNs int64
	sleepsLeft      int32
	cpu             int32 // where it runs or ran last
}

// cpu is one CPU of the machine.
type cpu struct {
	job  int32 // none if it is free
	last int32 // who ran before
	// yielded: last left it at nowNs with its budget used up, and its turn
	// goes on if it is the one to run next.
	yielded bool

	turnNs  int64 // when the turn began
	sinceNs int64 // from when on its CPU time is not yet in the job's state
	burstNs int64 // when the burst ends if nothing comes between
	dueNs   int64 // the burst's end or the budget's, whatever is first
}

// run runs jobs, which have been checked, to their end: those that it has been told
// of. A result has room for what becomes of them.
func (e *engine) run(cfg Config, p Policy, result *Result) error {
	e.switchCostNs = cfg.SwitchCostNs
	e.states = make([]state, e.n)
	e.cpus = make([]cpu, cfg.CPUs)
	e.due, e.free = newCPUHeap(cfg.CPUs), newCPUSet(cfg.CPUs)
	for i := range e.cpus {
		e.cpus[i] = cpu{job: none, last: none, dueNs: never}
	}
	e.keep = cfg.KeepTurns
	if e.keep {
		e.turns = make([]Turn, 0, 2*e.n) // what is not needed costs no memory
	}
	e.endNs, e.switches = result.EndNs, result.Switches
	e.d = p.discipline(e)
	e.awaitArrival()
	// At most instants little happens. To look whether it does is faster than to
	// call what would find nothing to do.
	for e.advance() {
		e.expiredCPUs = e.expiredCPUs[:0]
		if e.due.soonest(e.cpus) == e.nowNs {
			e.endBursts()
		}
		if e.arrivalNs == e.nowNs || len(e.sleepers) > 0 {
			e.admit()
		}
		if len(e.expiredCPUs) > 0 {
			e.expire()
		}
		if e.free.n > 0 || len(e.expiredCPUs) > 0 {
			e.dispatch()
		}
		if e.free.n == 0 {
			e.preempt()
		}
	}
	if e.overflow {
		return fmt.Errorf("the simulation passes the end of the clock (%d ns)", int64(math.MaxInt64))
	}
	return nil
}

// row is the index in jobs of a place in the order of arrival.
func (e *engine) row(place int32) int32 {
	place += int32(e.base)
	if e.order == nil {
		return place
	}
	return e.order[place]
}

func (e *engine) job(place int32) *Job { return &e.jobs[e.row(place)] }

// leftNs is the CPU time that a job needs from now on.
func (e *engine) leftNs(place int32) int64 {
	s := &e.states[place]
	return s.leftNs - e.ranNs(place)
}

// ranNs is how long a job has run since it was last given a CPU or a budget
// was noted; 0 if it does not run.
func (e *engine) ranNs(place int32) int64 {
	c := &e.cpus[e.states[place].cpu]
	if c.job != place || e.nowNs <= c.sinceNs {
		return 0
	}
	return e.nowNs - c.sinceNs
}

// attainedNs is the CPU time that a job has used.
func (e *engine) attainedNs(place int32) int64 {
	return e.job(place).CPUNs - e.leftNs(place)
}

// advance moves the clock to the next event and tells whether there is one.
func (e *engine) advance() bool {
	next := min(e.due.soonest(e.cpus), e.arrivalNs)
	if len(e.sleepers) > 0 {
		next = min(next, e.sleepers[0].key)
	}
	if next == never || e.overflow {
		return false
	}
	e.nowNs = next
	return true
}

// endBursts takes jobs that are done or go to sleep off their CPUs, and notes
// whose budget is used up.
func (e *engine) endBursts() {
	for {
		n := e.due.first()
		c := &e.cpus[n]
		if c.dueNs != e.nowNs {
			return
		}
		if c.burstNs != e.nowNs {
			e.expiredCPUs = append(e.expiredCPUs, n)
			c.dueNs = c.burstNs
			e.due.fix(e.cpus, n)
			continue
		}
		job := c.job
		e.stop(n)
		e.endTurn(n, job)
		e.endBurst(job)
	}
}

// endBurst sends a job that has no CPU to sleep, or home.
func (e *engine) endBurst(place int32) {
	s := &e.states[place]
	atNs := e.nowNs
	for s.burstNs == 0 {
		if s.sleepsLeft == 0 {
			if !e.keep {
				e.endNs[e.row(place)] = atNs
			}
			return
		}
		atNs += e.nextBurst(place)
	}
	e.sleepers.push(entry{atNs, int(place)})
}

// nextBurst goes on to the next burst of a job and returns how long the sleep
// before it is; the first burst has none.
func (e *engine) nextBurst(place int32) (sleepNs int64) {
	s := &e.states[place]
	job := e.job(place)
	s.sleepsLeft--
	i, sleeps := int64(job.Sleeps-s.sleepsLeft), int64(job.Sleeps)
	s.burstNs = part(job.CPUNs, i, sleeps+1)
	if i == 0 {
		return 0
	}
	return part(job.BlockNs, i-1, sleeps)
}

// part is the i-th of n parts of a time, which differ by no more than 1 ns.
func part(ns, i, n int64) int64 {
	if i < ns%n {
		return ns/n + 1
	}
	return ns / n
}

// awaitArrival notes when the next job arrives.
func (e *engine) awaitArrival() {
	e.arrivalNs = never
	if int(e.nextArrival) < e.n {
		e.arrivalNs = e.job(e.nextArrival).ArrivalNs
	}
}

// admit lets those in who arrive or wake now.
func (e *engine) admit() {
	for e.arrivalNs == e.nowNs {
		place := e.nextArrival
		job := e.job(place)
		e.nextArrival++
		e.awaitArrival()
		s := &e.states[place]
		s.leftNs, s.burstNs = job.CPUNs, job.CPUNs
		if job.Sleeps > 0 {
			s.sleepsLeft = job.Sleeps + 1
			e.nextBurst(place)
		}
		if s.burstNs == 0 {
			e.endBurst(place)
			continue
		}
		e.d.ready(place, arrived)
	}
	for len(e.sleepers) > 0 && e.sleepers[0].key <= e.nowNs {
		e.d.ready(int32(e.sleepers.pop().place), woken)
	}
}

// expire asks about those whose budget is used up.
func (e *engine) expire() {
	for _, n := range e.expiredCPUs {
		job := e.cpus[n].job
		budgetNs, goOn := e.d.expired(n, job)
		if goOn {
			e.setBudget(n, e.nowNs, budgetNs)
			continue
		}
		e.stop(n)
		e.cpus[n].yielded = true
		e.d.ready(job, yielded)
	}
}

// dispatch gives the free CPUs to those who wait.
func (e *engine) dispatch() {
	if e.free.n == 1 {
		if job := e.d.next(); job != none {
			e.start(e.free.lowest(), job)
		}
	} else if e.free.n > 1 {
		e.dispatchMany()
	}
	for _, n := range e.expiredCPUs {
		if c := &e.cpus[n]; c.yielded {
			e.endTurn(n, c.last)
		}
	}
}

// dispatchMany gives each job the CPU where it ran last, if that is free, and
// the others the free ones by number.
func (e *engine) dispatchMany() {
	e.picked = e.picked[:0]
	for len(e.picked) < e.free.n {
		job := e.d.next()
		if job == none {
			break
		}
		e.picked = append(e.picked, job)
	}
	rest := e.picked[:0]
	for _, job := range e.picked {
		if n := e.states[job].cpu; e.cpus[n].job == none && e.cpus[n].last == job {
			e.start(n, job)
		} else {
			rest = append(rest, job)
		}
	}
	for _, job := range rest {
		e.start(e.free.lowest(), job)
	}
}

// preempt ends turns for those who wait, when no CPU is free.
func (e *engine) preempt() {
	for n := e.d.preempt(); n != none; n = e.d.preempt() {
		job := e.cpus[n].job
		e.stop(n)
		e.endTurn(n, job)
		e.d.ready(job, preempted)
		e.start(n, e.d.next())
	}
}

// start gives a CPU to a job.
func (e *engine) start(n, job int32) {
	c := &e.cpus[n]
	e.free.remove(n)
	s := &e.states[job]
	s.cpu = n
	c.job = job
	c.sinceNs = e.nowNs
	if c.last != job {
		c.sinceNs = e.plus(e.nowNs, e.switchCostNs)
	}
	if c.yielded && c.last == job {
		c.yielded = false
	} else {
		if c.yielded {
			e.endTurn(n, c.last)
		}
		c.turnNs = c.sinceNs
	}
	c.last = job
	c.burstNs = e.plus(c.sinceNs, s.burstNs)
	e.setBudget(n, c.sinceNs, e.d.started(n, job))
}

// setBudget makes the discipline be asked when the job has run for so long
// from a time on; 0 for never.
func (e *engine) setBudget(n int32, fromNs, budgetNs int64) {
	c := &e.cpus[n]
	c.dueNs = c.burstNs
	if budgetNs > 0 && budgetNs < c.burstNs-fromNs {
		c.dueNs = fromNs + budgetNs
	}
	e.due.fix(e.cpus, n)
}

// stop takes the job off a CPU. What becomes of the turn is not yet said.
func (e *engine) stop(n int32) {
	c := &e.cpus[n]
	job := c.job
	ranNs := e.ranNs(job)
	s := &e.states[job]
	s.leftNs -= ranNs
	s.burstNs -= ranNs
	c.job = none
	c.dueNs = never
	e.due.fix(e.cpus, n)
	e.free.add(n)
	e.d.stopped(n, job, ranNs)
}

// endTurn notes that a job's turn on a CPU is over. One that was ended before
// the switch to it was through is none.
func (e *engine) endTurn(n, job int32) {
	c := &e.cpus[n]
	c.yielded = false
	sliceNs := e.nowNs - c.turnNs
	if sliceNs <= 0 {
		return
	}
	row := e.row(job)
	if e.keep {
		e.turns = append(e.turns, Turn{StartNs: c.turnNs, SliceNs: sliceNs, Job: int(row)})
	} else {
		e.switches[row]++
	}
}

// plus adds two times; beyond the end of the clock the simulation ends.
func (e *engine) plus(a, b int64) int64 {
	if b > never-1-a {
		e.overflow = true
		return never - 1
	}
	return a + b
}

// cpuHeap is a heap of all CPUs by dueNs, then number.
type cpuHeap struct {
	heap []int32 // numbers of CPUs
	at   []int32 // where each is in heap
}

func newCPUHeap(n int) cpuHeap {
	h := cpuHeap{heap: make([]int32, n), at: make([]int32, n)}
	for i := range n {
		h.heap[i], h.at[i] = int32(i), int32(i)
	}
	return h
}

func (h *cpuHeap) first() int32 { return h.heap[0] }

func (h *cpuHeap) soonest(cpus []cpu) int64 { return cpus[h.heap[0]].dueNs }

func dueBefore(cpus []cpu, a, b int32) bool {
	x, y := cpus[a].dueNs, cpus[b].dueNs
	return x < y || x == y && a < b
}

// fix puts a CPU whose dueNs has changed where it belongs.
func (h *cpuHeap) fix(cpus []cpu, n int32) {
	if len(h.heap) > 1 {
		h.move(cpus, n)
	}
}

func (h *cpuHeap) move(cpus []cpu, n int32) {
	i := h.at[n]
	for i > 0 {
		parent := (i - 1) / 2
		if !dueBefore(cpus, n, h.heap[parent]) {
			break
		}
		h.set(i, h.heap[parent])
		i = parent
	}
	for {
		child := 2*i + 1
		if int(child) >= len(h.heap) {
			break
		}
		if int(child+1) < len(h.heap) && dueBefore(cpus, h.heap[child+1], h.heap[child]) {
			child++
		}
		if !dueBefore(cpus, h.heap[child], n) {
			break
		}
		h.set(i, h.heap[child])
		i = child
	}
	h.set(i, n)
}

func (h *cpuHeap) set(i, n int32) { h.heap[i], h.at[n] = n, i }

// cpuSet is a set of CPUs, at first of all.
type cpuSet struct {
	words []uint64
	n     int
}

func newCPUSet(n int) cpuSet {
	s := cpuSet{words: make([]uint64, (n+63)/64)}
	for i := range n {
		s.add(int32(i))
	}
	return s
}

func (s *cpuSet) add(n int32) {
	s.words[n/64] |= 1 << (n % 64)
	s.n++
}

func (s *cpuSet) remove(n int32) {
	s.words[n/64] &^= 1 << (n % 64)
	s.n--
}

// lowest returns the lowest number in a set that is not empty.
func (s *cpuSet) lowest() int32 {
	for i, word := range s.words {
		if word != 0 {
			return int32(i*64 + bits.TrailingZeros64(word))
		}
	}
	panic("sim: no CPU is free")
}
