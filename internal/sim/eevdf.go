package sim

import (
	"cmp"
	"math/bits"
)

// eevdfSliceNs is the default of base_slice_ns since Linux 6.15, before the
// kernel scales it by the number of CPUs.
const eevdfSliceNs = 700_000

// EEVDF is the fair scheduler of Linux 6.18, earliest eligible virtual deadline
// first, for tasks of nice 0. The rules are those of kernel/sched/fair.c:
//
//   - of the jobs that have not had more than their share, whose virtual time is
//     thus not over the mean of all, the one with the earliest virtual deadline
//     runs (__pick_eevdf, avg_vruntime);
//   - a deadline is one slice after the virtual time at which it is set, and is
//     set anew when it is reached (update_deadline); who is picked keeps the CPU
//     until then (RUN_TO_PARITY, set_protect_slice), and to the tick after it
//     (update_curr);
//   - an arrival starts at the mean, with half a slice (place_entity,
//     PLACE_DEADLINE_INITIAL); a sleeper as far before or behind the mean as it
//     was when it fell asleep, within bounds (PLACE_LAG, update_entity_lag). One
//     behind the mean stays in the queue until it is picked, and is then let go
//     (DELAY_DEQUEUE, DELAY_ZERO);
//   - a sleeper ends the turn of a job that has used its slice or more than its
//     share, if it is the one to be picked (check_preempt_wakeup_fair);
//   - an arrival comes through the process that starts it, as with [CFS]: what
//     ran is then picked again only if it is the first, protected or not.
//
// Several CPUs share one queue, as if the load were balanced at each instant.
// Where all that wait are over the mean, the least so is next.
//
// What CFS leaves out is left out here too, and slices set by sched_setattr.
//
// Fields of 0 stand for Linux's defaults, which grow with the CPUs.
type EEVDF struct {
	// BaseSliceNs is the slice of a job: 0.7 ms times 1 + log2 of the CPUs,
	// of which 8 at most count. This and TickNs are from 0.1 ms to 100 ms.
	BaseSliceNs int64
	// TickNs is the time between two ticks, DefaultTickNs by default.
	TickNs int64
}

func (p EEVDF) withDefaults(cpus int) EEVDF {
	return EEVDF{
		BaseSliceNs: cmp.Or(p.BaseSliceNs, scaled(eevdfSliceNs, cpus)),
		TickNs:      cmp.Or(p.TickNs, DefaultTickNs),
	}
}

func (p EEVDF) check(jobs []Job, cfg Config) error {
	p = p.withDefaults(cfg.CPUs)
	err := cmp.Or(checkFairNs("base slice", p.BaseSliceNs), checkFairNs("tick", p.TickNs))
	if err != nil {
		return err
	}
	return checkEvents(jobs, min(p.TickNs, p.BaseSliceNs), "a longer tick and base slice")
}

func (p EEVDF) discipline(e *engine) discipline {
	p = p.withDefaults(len(e.cpus))
	return &eevdf{
		EEVDF: p, fair: newFair(e, p.TickNs), mean: firstVtime,
		jobs: make([]eevdfJob, e.n),
	}
}

// eevdf is the state of [EEVDF]. The queue is by deadline.
type eevdf struct {
	EEVDF
	fair
	jobs []eevdfJob
	// members are the jobs that the mean is of: who waits or runs, and who
	// sleeps but is still in the queue. sum is that of their virtual times,
	// those who run as of their CPU's sinceNs, whose sum is since.
	members    int
	sum, since wide
	mean       vtime // as it was last
}

type eevdfJob struct {
	deadline vtime
	lagNs    int64 // how far before the mean it fell asleep
	delayed  bool  // asleep, but in the queue
}

// wide is a sum that may pass 64 bits.
type wide struct{ high, low uint64 }

func (w wide) plus(x wide) wide {
	low, carry := bits.Add64(w.low, x.low, 0)
	return wide{w.high + x.high + carry, low}
}

func (w wide) minus(x wide) wide {
	low, borrow := bits.Sub64(w.low, x.low, 0)
	return wide{w.high - x.high - borrow, low}
}

// updateMean is avg_vruntime: of whole ns, rounded down. A virtual time is at
// most the mean if and only if it is at most that, so entity_eligible needs no
// more.
func (v *eevdf) updateMean() vtime {
	if v.members > 0 {
		high, low := bits.Mul64(uint64(v.running), uint64(v.e.nowNs))
		total := v.sum.plus(wide{high, low}).minus(v.since)
		mean, _ := bits.Div64(total.high, total.low, uint64(v.members))
		v.mean = vtime(mean)
	}
	return v.mean
}

func (v *eevdf) add(job int32) {
	v.members++
	v.sum = v.sum.plus(wide{low: uint64(v.virtual[job])})
}

func (v *eevdf) drop(job int32) {
	v.members--
	v.sum = v.sum.minus(wide{low: uint64(v.virtual[job])})
}

func (v *eevdf) ready(job int32, why reason) {
	j := &v.jobs[job]
	switch {
	case why == arrived:
		v.place(job, 0, v.BaseSliceNs/2)
	case why == woken && !j.delayed:
		v.place(job, j.lagNs, v.BaseSliceNs)
	case why == woken: // requeue_delayed_entity
		j.delayed = false
		v.waiting.remove(job)
		if v.virtual[job].before(v.updateMean()) {
			v.drop(job)
			v.place(job, 0, v.BaseSliceNs)
		}
	}
	v.queue(job, why, j.deadline)
}

// place is place_entity. A job that joins others moves their mean; the lag is
// made the greater for that.
func (v *eevdf) place(job int32, lagNs, sliceNs int64) {
	if n := int64(v.members); n > 0 {
		lagNs = lagNs * (n + 1) / n
	} else {
		lagNs = 0
	}
	v.virtual[job] = v.updateMean().plus(-lagNs)
	v.jobs[job].deadline = v.virtual[job].plus(sliceNs)
	v.add(job)
}

// lagNs is update_entity_lag.
func (v *eevdf) lagNs(job int32) int64 {
	limitNs := max(2*v.BaseSliceNs, v.TickNs)
	return min(max(v.updateMean().minus(v.virtual[job]), -limitNs), limitNs)
}

// first returns the job that waits, is eligible and has the earliest deadline.
// Sleepers that it meets it lets go.
func (v *eevdf) first(limit func() vtime) int32 {
	for {
		job := v.waiting.firstWithin(limit())
		if job == none || !v.jobs[job].delayed {
			return job
		}
		v.jobs[job].lagNs = min(v.lagNs(job), 0)
		v.jobs[job].delayed = false
		v.waiting.remove(job)
		v.drop(job)
	}
}

func (v *eevdf) next() int32 {
	job := v.first(func() vtime {
		if v.waiting.n == 0 {
			return 0
		}
		return later(v.updateMean(), v.waiting.least())
	})
	if job != none {
		v.waiting.remove(job)
	}
	return job
}

// pick is __pick_eevdf for a CPU that runs a job.
func (v *eevdf) pick(cpu, job int32, protect bool) int32 {
	mine := v.virtualNow(cpu, job)
	eligible := !v.updateMean().before(mine)
	if eligible && protect && mine.before(v.cpus[cpu].protects) {
		return job
	}
	best := v.first(v.updateMean)
	if best == none || eligible && v.jobs[job].deadline.before(v.jobs[best].deadline) {
		return job
	}
	return best
}

// account is the part of update_curr that sets deadlines. It tells whether the
// slice is used up.
func (v *eevdf) account(cpu, job int32) bool {
	mine := v.virtualNow(cpu, job)
	over := !mine.before(v.cpus[cpu].protects)
	if j := &v.jobs[job]; !mine.before(j.deadline) {
		j.deadline = mine.plus(v.BaseSliceNs)
		over = true
	}
	return over
}

func (v *eevdf) started(cpu, job int32) (budgetNs int64) {
	v.cpus[cpu].protects = v.jobs[job].deadline
	v.since = v.since.plus(wide{low: uint64(v.e.nowNs)})
	return v.begin(cpu)
}

// stopped is dequeue_entity or put_prev_entity.
func (v *eevdf) stopped(cpu, job int32, _ int64) {
	v.account(cpu, job)
	v.updateMean()
	v.drop(job)
	v.since = v.since.minus(wide{low: uint64(v.cpus[cpu].sinceNs)})
	v.end(cpu, job)
	v.add(job)
	s := &v.e.states[job]
	switch {
	case s.leftNs == 0:
		v.drop(job)
	case s.burstNs == 0:
		j := &v.jobs[job]
		j.lagNs = v.lagNs(job)
		if j.lagNs < 0 {
			j.delayed = true
			v.waiting.insert(job, j.deadline, v.virtual[job])
		} else {
			v.drop(job)
		}
	}
}

// expired is a tick: entity_tick, and then a pick.
func (v *eevdf) expired(cpu, job int32) (budgetNs int64, goOn bool) {
	budgetNs = v.nextTick(cpu, v.e.nowNs)
	if budgetNs == 0 || !v.account(cpu, job) {
		return budgetNs, true
	}
	return budgetNs, v.pick(cpu, job, true) == job
}

func (v *eevdf) preempt() int32 {
	v.tick()
	for {
		who, cpu, ok := v.newcomer()
		if !ok {
			return none
		}
		job := v.e.cpus[cpu].job
		over := v.account(cpu, job)
		best := v.pick(cpu, job, who.why != arrived)
		switch {
		case best == who.job, best != job && (who.why == arrived || over && v.members > 2):
			return cpu
		case who.why == arrived:
			v.cpus[cpu].protects = v.jobs[job].deadline
		}
	}
}
