package sim

import (
	"errors"
	"runtime"
	"sync"
)

// worthParts is how many jobs are worth to be simulated in parts.
const worthParts = 1 << 15

// simulate runs the jobs, which have been checked, to their end.
func simulate(jobs []Job, cfg Config, p Policy) (*Result, error) {
	parts := 1
	if len(jobs) >= worthParts {
		parts = runtime.GOMAXPROCS(0)
	}
	return simulateParts(jobs, cfg, p, parts)
}

// simulateParts does it in up to so many parts side by side, as far as the jobs can
// be cut into some that know nothing of each other.
func simulateParts(jobs []Job, cfg Config, p Policy, parts int) (*Result, error) {
	order := arrivalOrder(jobs)
	cuts := []int{0}
	if _, srpt := p.(SRPT); srpt && parts > 1 && cfg.CPUs == 1 && cfg.SwitchCostNs == 0 {
		cuts = idle(jobs, order, parts)
	}
	result := &Result{}
	if !cfg.KeepTurns {
		result.EndNs = make([]int64, len(jobs))
		result.Switches = make([]uint32, len(jobs))
	}
	engines := make([]engine, len(cuts))
	failed := make([]error, len(cuts))
	each := func(do func(i int)) {
		var all sync.WaitGroup
		for i := 1; i < len(engines); i++ {
			all.Go(func() { do(i) })
		}
		do(0)
		all.Wait()
	}
	each(func(i int) {
		end := len(jobs)
		if i+1 < len(cuts) {
			end = cuts[i+1]
		}
		e := &engines[i]
		e.jobs, e.order, e.base, e.n = jobs, order, cuts[i], end-cuts[i]
		failed[i] = e.run(cfg, p, result)
	})
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	if cfg.KeepTurns {
		result.Turns = byJob(engines, len(jobs), each)
	}
	return result, nil
}

// idle returns where the jobs, in order of arrival, can be cut into up to so many
// parts of about the same size: the places of jobs that find one CPU idle, as all work
// that came before is done, in whatever order. The first part begins at 0. Nothing is
// cut where jobs sleep, as it depends on the order then when they are done.
func idle(jobs []Job, order []int32, parts int) []int {
	cuts := []int{0}
	var doneNs int64 // all of them
	for place := range jobs {
		job := &jobs[place]
		if order != nil {
			job = &jobs[order[place]]
		}
		if job.Sleeps > 0 {
			return cuts[:1]
		}
		if job.ArrivalNs >= doneNs && place >= len(jobs)*len(cuts)/parts && len(cuts) < parts && place > 0 {
			cuts = append(cuts, place)
		}
		doneNs = max(doneNs, job.ArrivalNs) + job.CPUNs
	}
	return cuts
}

// byJob groups the turns of the engines, which come in order of time, by job. It
// copies them: in place, a tenth of the simulation's time is spent waiting for memory,
// and what the engines knew of the jobs is garbage by now, which is as large. The turns
// of a job are all of one engine, so each engine's can be counted and copied by itself.
func byJob(engines []engine, jobs int, each func(do func(i int))) []Turn {
	next := make([]uint32, jobs+1)
	turns := 0
	for i := range engines {
		engines[i].states = nil
		turns += len(engines[i].turns)
	}
	each(func(i int) {
		for _, turn := range engines[i].turns {
			next[turn.Job+1]++
		}
	})
	for j := range jobs {
		next[j+1] += next[j]
	}
	grouped := make([]Turn, turns)
	each(func(i int) {
		for _, turn := range engines[i].turns {
			to := &next[turn.Job]
			grouped[*to] = turn
			*to++
		}
	})
	return grouped
}
