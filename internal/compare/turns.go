package compare

import (
	"math"

	"alps/internal/sim"
	"alps/internal/stream"
)

// NewTimeline returns a timeline without windows, for [Timeline.AddTurns]. With
// cpus 0 the number of CPUs is that of the column, which must then be the same
// everywhere.
func NewTimeline(cpus int) *Timeline {
	return &Timeline{CPUs: cpus, class: make(map[string]int32), seen: make(map[string]int32), anyCPUs: cpus > 0}
}

// Class is the place of a class in the timeline, which must have it.
func (t *Timeline) Class(name stream.Name) int32 { return t.class[string(name)] }

// AddTurns takes in a window of turns, whose start_ns must all be there: its
// invocations are made anew of them. One arrived its wait before its first turn
// and needs the sum of its turns; what it slept is not in the stream. One that
// was in a window before arrived when it did there, and needs what this window
// tells. It comes to this window at its begin, so that is when the window begins;
// where nobody goes on, with the first that arrives.
//
// What is wrong with a row is returned as a [*stream.Error]. That the turns of an
// invocation agree with each other is for who has seen the window before: a
// tune.Tuner refuses those that do not.
func (t *Timeline) AddTurns(w *stream.Window[stream.Turn]) error {
	if n := len(t.Windows); n > 0 && w.ID <= t.Windows[n-1].ID {
		return w.Errorf(0, "window", "%d comes after window %d; the windows of all files grow", w.ID, t.Windows[n-1].ID)
	}
	cpus := int(w.Rows[0].CPUs)
	switch {
	case t.anyCPUs:
	case cpus > sim.MaxCPUs:
		return w.Errorf(0, "cpus", "%d are more than the %d that can be simulated; --cpus N simulates N instead", cpus, sim.MaxCPUs)
	case t.CPUs == 0:
		t.CPUs = cpus
	case cpus != t.CPUs:
		return w.Errorf(0, "cpus", "%d differs from the %d of the windows before; --cpus N simulates N instead", cpus, t.CPUs)
	}
	window := int32(len(t.Windows))
	beginNs := int64(math.MaxInt64)
	jobs, firstRows := t.rebuild(w)
	for n, job := range jobs {
		i := firstRows[n]
		row := &w.Rows[i]
		if job.ArrivalNs < 0 {
			return w.Errorf(i, "start_ns", "the first turn of invocation %q began at %d, less than its wait_ns of %d after 0",
				row.Invocation, job.ArrivalNs+int64(row.WaitNs), row.WaitNs)
		}
		at, again := t.seen[string(row.Invocation)]
		if !again {
			t.enter(string(row.Invocation), job, window)
			beginNs = min(beginNs, job.ArrivalNs)
			continue
		}
		before := &t.Jobs[at]
		switch {
		case before.Class != job.Class:
			return w.Errorf(i, "class", "%q differs from the %q that invocation %q had in a window before", row.Class, t.Classes[before.Class], row.Invocation)
		case before.ArrivalNs > job.ArrivalNs:
			return w.Errorf(i, "start_ns", "less the wait it is %d, before the %d at which invocation %q arrived by a window before",
				job.ArrivalNs, before.ArrivalNs, row.Invocation)
		case before.ArrivalNs < job.ArrivalNs:
			beginNs = min(beginNs, job.ArrivalNs)
		}
		before.CPUNs = job.CPUNs
	}
	if window > 0 {
		// A table comes into force after the one before it.
		beginNs = max(beginNs, t.Windows[window-1].BeginNs)
		if beginNs == math.MaxInt64 {
			// Nobody is new, and nobody tells when the window begins.
			beginNs = t.Windows[window-1].BeginNs
		}
	}
	t.Windows = append(t.Windows, Window{ID: w.ID, BeginNs: beginNs})
	return nil
}

// rebuild makes the jobs of a window's invocations, as far as that window tells,
// in the order of their first rows, whose places it returns too.
func (t *Timeline) rebuild(w *stream.Window[stream.Turn]) (jobs []sim.Job, firstRows []int) {
	at := make(map[stream.Name]int)
	for i := range w.Rows {
		row := &w.Rows[i]
		arrivalNs := int64(row.StartNs.Nanos) - int64(row.WaitNs)
		n, again := at[row.Invocation]
		if !again {
			at[row.Invocation] = len(jobs)
			jobs = append(jobs, sim.Job{ArrivalNs: arrivalNs, CPUNs: int64(row.SliceNs), Class: t.classOf(row.Class)})
			firstRows = append(firstRows, i)
			continue
		}
		// Its wait is the same on all rows, so the least is that of its first turn.
		jobs[n].ArrivalNs = min(jobs[n].ArrivalNs, arrivalNs)
		jobs[n].CPUNs += int64(row.SliceNs)
	}
	return jobs, firstRows
}
