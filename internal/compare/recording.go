package compare

import (
	"alps/internal/stream"
	"alps/internal/workload"
)

// Recording is a [Learner] that makes of a timeline what
// [workload.FromRecorded] takes, so that it can be run again.
type Recording struct {
	ended    []bool // by job
	timeline *Timeline
}

// Learn implements [Learner]. It refuses what the workload runner would.
func (r *Recording) Learn(w *stream.Window[stream.Invocation], t *Timeline) error {
	r.timeline = t
	r.ended = append(r.ended, make([]bool, len(t.Jobs)-len(r.ended))...)
	for i := range w.Rows {
		row := &w.Rows[i]
		at := t.seen[string(row.Invocation)]
		r.ended[at] = row.EndNs.Valid
		switch job := &t.Jobs[at]; {
		case job.CPUNs > workload.MaxDemandNs:
			return w.Errorf(i, "cpu_ns", "%d is more than a day, the most that can be run again", job.CPUNs)
		case job.BlockNs > workload.MaxDemandNs:
			return w.Errorf(i, "block_ns", "%d is more than a day, the most that can be run again", job.BlockNs)
		}
	}
	return nil
}

// Invocations returns the invocations of the timeline that was read, each as
// it was last seen, in the order in which they were first seen.
func (r *Recording) Invocations() []workload.Recorded {
	t := r.timeline
	recorded := make([]workload.Recorded, len(t.Jobs))
	for i := range t.Jobs {
		job := &t.Jobs[i]
		recorded[i] = workload.Recorded{
			ID: t.ids[i], Class: t.Classes[job.Class], ArrivalNs: job.ArrivalNs, CPUNs: job.CPUNs,
			BlockNs: job.BlockNs, Sleeps: int64(job.Sleeps), Running: !r.ended[i],
		}
	}
	return recorded
}
