package sim

import "cmp"

// The defaults of CFS in Linux 2.6.38 to 6.5, before the kernel scales them by
// the number of CPUs.
const (
	cfsLatencyNs     = 6_000_000
	cfsGranularityNs = 750_000
	cfsWakeupNs      = 1_000_000
)

// CFS is the Completely Fair Scheduler as of Linux 6.1, for tasks of nice 0. The
// rules are those of kernel/sched/fair.c:
//
//   - the job with the least virtual time runs (pick_next_entity);
//   - a tick ends a turn that was longer than the latency shared among the jobs,
//     but not shorter than the minimum granularity, or whose job is that much
//     ahead of the first one that waits (check_preempt_tick, sched_slice);
//   - an arrival starts one slice behind the least virtual time of all
//     (place_entity, START_DEBIT); a sleeper starts at most half the latency
//     before it (GENTLE_FAIR_SLEEPERS), and ends the turn of a job that is ahead
//     of it by more than the wakeup granularity (wakeup_preempt_entity);
//   - an arrival comes through the process that starts it, such as the daemon of
//     a platform, which is in another cgroup and takes the CPU for a moment. What
//     ran is then among those who wait, and the first of them goes on.
//
// Several CPUs share one queue, as if the load were balanced at each instant.
//
// Left out: the CPU time of that process, of the kernel, and of starting up
// (take it as part of a job's demand); nice and cgroup weights: all jobs are in
// one group, as if the platform's containers had no cpu controller; per-CPU
// queues, migration and its delays; the phase of the ticks, which come at
// multiples of TickNs; LAST_BUDDY.
//
// Fields of 0 stand for Linux's defaults, which grow with the CPUs.
type CFS struct {
	// LatencyNs is within which each of up to LatencyNs/MinGranularityNs jobs
	// a CPU is to run once; 6 ms times 1 + log2 of the CPUs, of which 8 at
	// most count. This and the other times are from 0.1 ms to 100 ms.
	LatencyNs int64
	// MinGranularityNs is the shortest slice, by default an eighth of that.
	MinGranularityNs int64
	// WakeupGranularityNs is by how much a woken job must be behind to end a
	// turn; 1 ms, scaled in the same way.
	WakeupGranularityNs int64
	// TickNs is the time between two ticks, DefaultTickNs by default.
	TickNs int64
}

func (p CFS) withDefaults(cpus int) CFS {
	return CFS{
		LatencyNs:           cmp.Or(p.LatencyNs, scaled(cfsLatencyNs, cpus)),
		MinGranularityNs:    cmp.Or(p.MinGranularityNs, scaled(cfsGranularityNs, cpus)),
		WakeupGranularityNs: cmp.Or(p.WakeupGranularityNs, scaled(cfsWakeupNs, cpus)),
		TickNs:              cmp.Or(p.TickNs, DefaultTickNs),
	}
}

func (p CFS) check(jobs []Job, cfg Config) error {
	p = p.withDefaults(cfg.CPUs)
	err := cmp.Or(
		checkFairNs("latency", p.LatencyNs), checkFairNs("minimum granularity", p.MinGranularityNs),
		checkFairNs("wakeup granularity", p.WakeupGranularityNs), checkFairNs("tick", p.TickNs))
	if err != nil {
		return err
	}
	return checkEvents(jobs, min(p.TickNs, p.MinGranularityNs), "a longer tick and minimum granularity")
}

func (p CFS) discipline(e *engine) discipline { return newCFS(e, p) }

// cfs is the state of [CFS]. Another discipline may embed one for what it leaves
// to the kernel: it passes on what the engine tells and asks of those jobs, and
// keeps the others to itself. A job that it ran by rules of its own before comes
// in by join instead of ready. waiting.n is how many wait here, virtual[job] the
// virtual time of a job that does.
type cfs struct {
	CFS
	fair
	least vtime // min_vruntime
	// ahead are the running jobs by virtual time less time, which does not
	// change while they run.
	ahead jobTree
	buddy int32 // is next, if it is not too far behind the first; or none
}

func newCFS(e *engine, p CFS) *cfs {
	p = p.withDefaults(len(e.cpus))
	return &cfs{
		CFS: p, fair: newFair(e, p.TickNs), least: firstVtime,
		ahead: newJobTree(e.n), buddy: none,
	}
}

// advanceLeast is update_min_vruntime: it never goes back.
func (c *cfs) advanceLeast() {
	first := c.waiting.first()
	ahead := c.ahead.first()
	switch {
	case first == none && ahead == none:
		return
	case ahead == none:
		c.least = later(c.least, c.virtual[first])
		return
	}
	least := c.ahead.nodes[ahead].key.plus(c.e.nowNs)
	if first != none && c.virtual[first].before(least) {
		least = c.virtual[first]
	}
	c.least = later(c.least, least)
}

// sliceOf is sched_slice for one of so many jobs: of equal weight, spread evenly.
func (c *cfs) sliceOf(jobs int) int64 {
	a := int64(len(c.cpus))
	return max(c.LatencyNs/max((int64(jobs)+a-1)/a, 1), c.MinGranularityNs)
}

// ready is place_entity. update_curr comes before it, which does nothing where
// nobody runs.
func (c *cfs) ready(job int32, why reason) {
	if c.running > 0 {
		c.advanceLeast()
	}
	switch why {
	case arrived:
		c.virtual[job] = c.least.plus(c.sliceOf(c.waiting.n + c.running + 1))
	case woken:
		c.virtual[job] = later(c.virtual[job], c.least.plus(-c.LatencyNs/2))
	}
	c.queue(job, why, c.virtual[job])
}

// join takes in a job that was not the fair scheduler's until now, at the least
// virtual time of all.
func (c *cfs) join(job int32) {
	c.advanceLeast()
	c.virtual[job] = c.least
	c.queue(job, yielded, c.virtual[job])
}

// peek is next, but leaves the job in the queue.
func (c *cfs) peek() int32 {
	first := c.waiting.first()
	if c.buddy != none && c.waiting.has(c.buddy) &&
		c.virtual[c.buddy].minus(c.virtual[first]) <= c.WakeupGranularityNs {
		return c.buddy
	}
	return first
}

func (c *cfs) next() int32 {
	job := c.peek()
	if job != none {
		c.waiting.remove(job)
		c.buddy = none
	}
	return job
}

func (c *cfs) started(cpu, job int32) (budgetNs int64) {
	c.ahead.insert(job, c.virtual[job].plus(-c.e.nowNs), 0)
	return c.begin(cpu)
}

func (c *cfs) stopped(cpu, job int32, _ int64) {
	c.advanceLeast()
	c.ahead.remove(job)
	c.end(cpu, job)
	if c.e.states[job].burstNs == 0 { // dequeue_entity
		c.advanceLeast()
	}
}

// expired is a tick: check_preempt_tick, and then pick_next_entity.
func (c *cfs) expired(cpu, job int32) (budgetNs int64, goOn bool) {
	budgetNs = c.nextTick(cpu, c.e.nowNs)
	if budgetNs == 0 {
		return 0, true
	}
	first := c.virtual[c.waiting.first()]
	mine := c.virtualNow(cpu, job)
	sliceNs := c.sliceOf(c.waiting.n + c.running)
	ranNs := c.e.nowNs - c.cpus[cpu].sliceNs
	over := ranNs > sliceNs || ranNs >= c.MinGranularityNs && mine.minus(first) > sliceNs
	return budgetNs, !over || mine.before(first)
}

func (c *cfs) preempt() int32 {
	c.tick()
	for {
		who, cpu, ok := c.newcomer()
		if !ok {
			return none
		}
		mine := c.virtualNow(cpu, c.e.cpus[cpu].job)
		if who.why == arrived {
			if !mine.before(c.virtual[c.waiting.first()]) {
				return cpu
			}
			// set_next_entity: picked again, it has a whole slice again.
			c.cpus[cpu].sliceNs = c.e.nowNs
			continue
		}
		if mine.minus(c.virtual[who.job]) > c.WakeupGranularityNs {
			c.buddy = who.job
			return cpu
		}
	}
}
