package sim

import (
	"errors"
	"fmt"

	"alps/internal/stream"
)

// Options is how windows are simulated.
type Options struct {
	// Policy is the scheduling policy.
	Policy Policy
	// CPUs is how many CPUs are simulated; 0 takes the column cpus, which
	// must then be the same in a whole window.
	CPUs int
	// MinSliceNs is the minimum slice; see [Config].
	MinSliceNs int64
}

// Turns simulates one window and returns its turns, ordered by the row of
// their invocation and then by time, which is how they are numbered. They have
// no frame; the writer of the stream gives them theirs. Each carries the number
// of CPUs simulated and the util_pct of its invocation's row.
//
// The window stands for itself: it begins on idle CPUs, each invocation comes
// at its arrival_ns, be that before the window, and needs the cpu_ns of its row
// in total. So one that spans several windows is simulated in each of them anew,
// with what it has used by then.
//
// An invocation that has used no CPU time has no turn: what it needs is not
// known yet, and a turn of 0 ns would make its class look short. If that holds
// for all of them, no turns are returned.
//
// What is wrong with a row is returned as a [*stream.Error].
func Turns(w *stream.Window[stream.Invocation], o Options) ([]stream.Turn, error) {
	cpus, err := checkWindow(w, o)
	if err != nil {
		return nil, err
	}
	jobs := make([]Job, len(w.Rows))
	for i := range w.Rows {
		jobs[i] = Job{ArrivalNs: int64(w.Rows[i].ArrivalNs), CPUNs: int64(w.Rows[i].CPUNs)}
	}
	turns, err := o.Policy(jobs, Config{CPUs: cpus, MinSliceNs: o.MinSliceNs})
	var atJob *JobError
	if errors.As(err, &atJob) {
		return nil, w.Errorf(atJob.Job, atJob.Column, "%s", atJob.Msg)
	}
	if err != nil {
		return nil, fmt.Errorf("window %d: %w", w.ID, err)
	}
	rows := make([]stream.Turn, len(turns))
	for i, turn := range turns {
		invocation := &w.Rows[turn.Job]
		rows[i] = stream.Turn{
			Class:      invocation.Class,
			Key:        invocation.Key,
			Invocation: invocation.Invocation,
			Turn:       1,
			SliceNs:    stream.Nanos(turn.SliceNs),
			WaitNs:     stream.Nanos(turn.StartNs) - invocation.ArrivalNs,
			CPUs:       stream.Count(cpus),
			UtilPct:    invocation.UtilPct,
			StartNs:    stream.OptNanos{Nanos: stream.Nanos(turn.StartNs), Valid: true},
		}
		if i > 0 && turns[i-1].Job == turn.Job {
			rows[i].Turn = rows[i-1].Turn + 1
			rows[i].WaitNs = rows[i-1].WaitNs
		}
	}
	return rows, nil
}

// checkWindow refuses rows that contradict themselves or each other, and
// returns the number of CPUs to simulate.
func checkWindow(w *stream.Window[stream.Invocation], o Options) (cpus int, err error) {
	seen := make(map[stream.Name]int, len(w.Rows))
	for i := range w.Rows {
		row := &w.Rows[i]
		if first, twice := seen[row.Invocation]; twice {
			return 0, w.Errorf(i, "invocation", "%q is on line %d of this window already", row.Invocation, w.Lines[first])
		}
		seen[row.Invocation] = i
		if row.EndNs.Valid && row.EndNs.Nanos < row.ArrivalNs {
			return 0, w.Errorf(i, "end_ns", "%d is before arrival_ns, which is %d", row.EndNs.Nanos, row.ArrivalNs)
		}
		if o.CPUs == 0 && row.CPUs != w.Rows[0].CPUs {
			return 0, w.Errorf(i, "cpus", "%d differs from the %d on line %d of this window; --cpus N simulates N instead",
				row.CPUs, w.Rows[0].CPUs, w.Lines[0])
		}
	}
	if o.CPUs > 0 {
		return o.CPUs, nil
	}
	return int(w.Rows[0].CPUs), nil
}
