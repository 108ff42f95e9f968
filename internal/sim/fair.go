package sim

import (
	"fmt"
	"math/bits"
)

// DefaultTickNs is the scheduler tick of kernels with CONFIG_HZ=250, which
// those of Debian and Ubuntu have.
const DefaultTickNs = 4_000_000

// Bounds of the times that make up a fair policy: the kernel's own for slices
// (0.1 ms to 100 ms, __setparam_fair).
const (
	minFairNs = 100_000
	maxFairNs = 100_000_000
)

// fair is what [CFS] and [EEVDF] have in common: one queue for all CPUs, virtual
// times, and ticks. It may be told of some CPUs and jobs only, by a discipline
// that has others run as well.
type fair struct {
	e      *engine
	tickNs int64

	waiting jobTree
	// virtual is the virtual time of each job; of a running one as of its
	// CPU's sinceNs.
	virtual []vtime
	cpus    []fairCPU
	running int
	// tickless are the CPUs whose ticks are left out, as nobody waited when
	// they were to be set.
	tickless []int32

	// newcomers have become ready at newNs, and may end turns then.
	newcomers []newcomer
	newNs     int64
	turnOf    int32 // whose turn it is to be disturbed by an arrival
}

// fairCPU is a CPU as far as it runs a job of the fair policy.
type fairCPU struct {
	mine     bool // it does
	ticking  bool
	listed   bool // in tickless
	sinceNs  int64
	sliceNs  int64 // CFS: when the kernel picked the job last
	protects vtime // EEVDF: vprot
}

type newcomer struct {
	job int32
	why reason
}

func newFair(e *engine, tickNs int64) fair {
	return fair{
		e: e, tickNs: tickNs,
		waiting: newJobTree(e.n),
		virtual: make([]vtime, e.n),
		cpus:    make([]fairCPU, len(e.cpus)),
	}
}

// scaled is a default that the kernel multiplies by 1 + log2 of the CPUs, of
// which it counts 8 at most (get_update_sysctl_factor).
func scaled(ns int64, cpus int) int64 {
	return ns * int64(bits.Len(uint(min(cpus, 8))))
}

func checkFairNs(name string, ns int64) error {
	if ns < minFairNs || ns > maxFairNs {
		return fmt.Errorf("simulate a %s of %d ns: from %d to %d can be", name, ns, minFairNs, maxFairNs)
	}
	return nil
}

// queue puts a job among those who wait.
func (f *fair) queue(job int32, why reason, key vtime) {
	f.waiting.insert(job, key, f.virtual[job])
	if why != arrived && why != woken {
		return
	}
	if f.newNs != f.e.nowNs {
		f.newcomers, f.newNs = f.newcomers[:0], f.e.nowNs
	}
	f.newcomers = append(f.newcomers, newcomer{job, why})
}

// newcomer returns the next one that still waits, and the CPU whose job it
// meets: that where it ran last, as select_task_rq_fair finds no idle one; for
// an arrival each CPU in turn. ok is false if there is none.
func (f *fair) newcomer() (who newcomer, cpu int32, ok bool) {
	for f.newNs == f.e.nowNs && len(f.newcomers) > 0 {
		who = f.newcomers[len(f.newcomers)-1]
		f.newcomers = f.newcomers[:len(f.newcomers)-1]
		if !f.waiting.has(who.job) {
			continue
		}
		cpu = f.e.states[who.job].cpu
		if who.why == arrived {
			cpu = f.turnOf
			f.turnOf = (f.turnOf + 1) % int32(len(f.cpus))
		}
		if f.cpus[cpu].mine {
			return who, cpu, true
		}
	}
	return newcomer{}, none, false
}

// virtualNow is the virtual time of the job that a CPU runs. The switch to it
// counts, as update_curr counts from before it.
func (f *fair) virtualNow(cpu, job int32) vtime {
	return f.virtual[job].plus(f.e.nowNs - f.cpus[cpu].sinceNs)
}

func (f *fair) begin(cpu int32) (budgetNs int64) {
	c := &f.cpus[cpu]
	c.mine, c.sinceNs, c.sliceNs = true, f.e.nowNs, f.e.nowNs
	f.running++
	return f.nextTick(cpu, f.e.cpus[cpu].sinceNs)
}

func (f *fair) end(cpu, job int32) {
	f.virtual[job] = f.virtualNow(cpu, job)
	f.cpus[cpu].mine, f.cpus[cpu].ticking = false, false
	f.running--
}

// nextTick returns how long after a time a CPU's next tick comes that needs to
// be looked at, 0 for none. Ticks come at multiples of tickNs.
func (f *fair) nextTick(cpu int32, fromNs int64) int64 {
	c := &f.cpus[cpu]
	c.ticking = f.waiting.n > 0
	if c.ticking {
		return f.tickNs - fromNs%f.tickNs
	}
	if !c.listed {
		c.listed = true
		f.tickless = append(f.tickless, cpu)
	}
	return 0
}

// tick lets the ticks of all CPUs be looked at if somebody waits.
func (f *fair) tick() {
	if f.waiting.n == 0 {
		return
	}
	for _, cpu := range f.tickless {
		c := &f.cpus[cpu]
		c.listed = false
		if !c.mine || c.ticking {
			continue
		}
		c.ticking = true
		afterNs := max(f.e.nowNs, f.e.cpus[cpu].sinceNs)
		f.e.setBudget(cpu, afterNs, f.tickNs-afterNs%f.tickNs)
	}
	f.tickless = f.tickless[:0]
}
