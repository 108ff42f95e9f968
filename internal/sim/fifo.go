package sim

import "fmt"

// FIFO is first in, first out: who became ready first, by arrival or by waking
// up, runs until it is done or sleeps.
type FIFO struct{}

func (FIFO) check([]Job, Config) error       { return nil }
func (FIFO) discipline(e *engine) discipline { return &roundRobin{} }

// DefaultQuantumNs is the quantum of SCHED_RR in Linux (sched_rr_timeslice_ms).
const DefaultQuantumNs = 100_000_000

// RR is round robin: FIFO, but after a quantum of CPU time a job leaves its CPU
// to those who wait and is the last in the queue. Who comes at the same instant
// is before it.
type RR struct {
	// QuantumNs is at least 1.
	QuantumNs int64
}

func (p RR) check(jobs []Job, _ Config) error {
	if p.QuantumNs < 1 {
		return fmt.Errorf("simulate a quantum of %d ns: at least 1 is needed", p.QuantumNs)
	}
	return checkEvents(jobs, p.QuantumNs, "a longer quantum")
}

func (p RR) discipline(e *engine) discipline { return &roundRobin{quantumNs: p.QuantumNs} }

// MaxEvents bounds the events of a simulation: at some 10 million a second it
// is a quarter of an hour.
const MaxEvents = 1 << 33

// checkEvents refuses jobs that a policy would look at too often, which it does
// once in everyNs of their CPU time.
func checkEvents(jobs []Job, everyNs int64, remedy string) error {
	var events int64
	for i := range jobs {
		events += jobs[i].CPUNs / everyNs // no overflow: the sum of CPUNs is checked
		if events > MaxEvents {
			return &JobError{i, "cpu_ns", fmt.Sprintf("%d ns, with those before it, takes more than %d steps to simulate; %s takes fewer",
				jobs[i].CPUNs, int64(MaxEvents), remedy)}
		}
	}
	return nil
}

// roundRobin is the state of [RR], and with a quantum of 0 that of [FIFO].
type roundRobin struct {
	quantumNs int64
	waiting   queue
}

func (r *roundRobin) ready(job int32, _ reason) { r.waiting.push(job) }
func (r *roundRobin) next() int32               { return r.waiting.pop() }

func (r *roundRobin) started(_, _ int32) (budgetNs int64) { return r.quantumNs }

func (r *roundRobin) expired(_, _ int32) (budgetNs int64, goOn bool) {
	return r.quantumNs, r.waiting.empty()
}

func (r *roundRobin) stopped(_, _ int32, _ int64) {}
func (r *roundRobin) preempt() int32              { return none }

// queue is a first-in first-out list of jobs.
type queue struct {
	jobs []int32
	head int
}

func (q *queue) empty() bool { return q.head == len(q.jobs) }

func (q *queue) push(job int32) {
	if q.head > 0 && len(q.jobs) == cap(q.jobs) && q.head >= len(q.jobs)/2 {
		// Moved no more often than popped.
		q.jobs = q.jobs[:copy(q.jobs, q.jobs[q.head:])]
		q.head = 0
	}
	q.jobs = append(q.jobs, job)
}

// pop returns the first job, or none.
func (q *queue) pop() int32 {
	if q.empty() {
		return none
	}
	job := q.jobs[q.head]
	q.head++
	return job
}
