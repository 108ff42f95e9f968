package sim

import (
	"errors"
	"fmt"
	"math/bits"

	"alps/internal/stream"
)

// Options is how windows are simulated.
type Options struct {
	// Policy is the scheduling policy.
	Policy Policy
	// CPUs is how many CPUs are simulated; 0 takes the column cpus, which
	// must then be the same in a whole window.
	CPUs int
	// SwitchCostNs is that of [Config].
	SwitchCostNs int64
	// AsSeen takes what a running invocation has used so far as all that it
	// needs, instead of what its class needs.
	AsSeen bool
}

// Turns simulates one window and returns its turns, ordered by the row of
// their invocation and then by time, which is how they are numbered. They have
// no frame; the writer of the stream gives them theirs. Each carries the number
// of CPUs simulated and the util_pct of its invocation's row.
//
// The window stands for itself: it begins on idle CPUs. What arrived before its
// begin_ns comes at that, all at once, and needs its whole cpu_ns from there on:
// SRPT has to be seen to choose between it and the others, which it would not
// if those were run in the empty time before. (docs/decisions/0003)
//
// What is still running at the window's end has not shown what it needs. It is
// taken to need as much as the ended invocations of its class in the window on
// average, if that is more than it has used. Else whoever is made to wait looks
// short, and a class that is ranked badly would be ranked well the next time.
//
// An invocation of a class of which none has ended, and which has used no CPU
// time itself, has no turn: a turn of 0 ns would make its class look short. If
// that holds for all of them, no turns are returned.
//
// What is wrong with a row is returned as a [*stream.Error].
func Turns(w *stream.Window[stream.Invocation], o Options) ([]stream.Turn, error) {
	cpus, err := checkWindow(w, o)
	if err != nil {
		return nil, err
	}
	jobs := jobsOf(w, o.AsSeen)
	result, err := Simulate(jobs, Config{CPUs: cpus, SwitchCostNs: o.SwitchCostNs, KeepTurns: true}, o.Policy)
	var atJob *JobError
	if errors.As(err, &atJob) {
		return nil, w.Errorf(atJob.Job, atJob.Column, "%s", atJob.Msg)
	}
	if err != nil {
		return nil, fmt.Errorf("window %d: %w", w.ID, err)
	}
	turns := result.Turns
	rows := make([]stream.Turn, len(turns))
	for i, turn := range turns {
		invocation := &w.Rows[turn.Job]
		rows[i] = stream.Turn{
			Class:      invocation.Class,
			Key:        invocation.Key,
			Invocation: invocation.Invocation,
			Turn:       1,
			SliceNs:    stream.Nanos(turn.SliceNs),
			WaitNs:     stream.Nanos(turn.StartNs - jobs[turn.Job].ArrivalNs),
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

// jobsOf makes the jobs of the rows of a window.
func jobsOf(w *stream.Window[stream.Invocation], asSeen bool) []Job {
	jobs := make([]Job, len(w.Rows))
	ended := make(map[stream.Name]*mean)
	for i := range w.Rows {
		row := &w.Rows[i]
		jobs[i] = Job{ArrivalNs: int64(max(row.ArrivalNs, row.BeginNs.Nanos)), CPUNs: int64(row.CPUNs)}
		if asSeen || !row.EndNs.Valid {
			continue
		}
		if ended[row.Class] == nil {
			ended[row.Class] = new(mean)
		}
		ended[row.Class].add(jobs[i].CPUNs)
	}
	for i := range w.Rows {
		if usual := ended[w.Rows[i].Class]; usual != nil && !w.Rows[i].EndNs.Valid {
			jobs[i].CPUNs = max(jobs[i].CPUNs, usual.value())
		}
	}
	return jobs
}

// mean is the mean of the values added, none of which is negative, rounded
// down. Their sum may pass 64 bits.
type mean struct {
	n, high, low uint64
}

func (m *mean) add(value int64) {
	var carry uint64
	m.low, carry = bits.Add64(m.low, uint64(value), 0)
	m.high += carry
	m.n++
}

func (m *mean) value() int64 {
	// high < n, as each value is below 2^63.
	quotient, _ := bits.Div64(m.high, m.low, m.n)
	return int64(quotient)
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
		if row.BeginNs != w.Rows[0].BeginNs {
			return 0, w.Errorf(i, "begin_ns", "differs from that on line %d of this window", w.Lines[0])
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
