package sim

import (
	"errors"
	"fmt"
	"io"

	"alps/internal/stream"
)

// Options is how windows are simulated.
type Options struct {
	// Policy makes the scheduling policy of the jobs of a window.
	Policy func(jobs []Job) Policy
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
// Time asleep is left out: ALPS learns from CPU time only.
//
// What is wrong with a row is returned as a [*stream.Error].
func Turns(w *stream.Window[stream.Invocation], o Options) ([]stream.Turn, error) {
	s := newStore(o.CPUs, o.AsSeen)
	if err := s.add(w.ID, w.Rows, w.Lines, w.Errorf); err != nil {
		return nil, err
	}
	turns, err := s.simulate(o, w.Errorf)
	if err != nil {
		return nil, err
	}
	rows := make([]stream.Turn, len(turns))
	for i := range rows {
		s.turn(turns, i, &rows[i])
	}
	return rows, nil
}

// CheckWindow refuses rows that contradict themselves or each other, with a
// [*stream.Error], and returns the number of CPUs to simulate: cpus, or if that
// is 0 the column, which must then be the same in the whole window.
func CheckWindow(w *stream.Window[stream.Invocation], cpus int) (int, error) {
	s := newStore(cpus, false)
	if err := s.add(w.ID, w.Rows, w.Lines, w.Errorf); err != nil {
		return 0, err
	}
	return s.machineCPUs(), nil
}

// simulate runs the policy over the window in the store.
func (s *store) simulate(o Options, errorf errorf) ([]Turn, error) {
	s.complete()
	result, err := Simulate(s.jobs, Config{CPUs: s.machineCPUs(), SwitchCostNs: o.SwitchCostNs, KeepTurns: true}, o.Policy(s.jobs))
	var atJob *JobError
	if errors.As(err, &atJob) {
		return nil, errorf(atJob.Job, atJob.Column, "%s", atJob.Msg)
	}
	if err != nil {
		return nil, fmt.Errorf("window %d: %w", s.id, err)
	}
	return result.Turns, nil
}

// Run simulates the windows of a stream one by one and writes the turns of each
// before it reads the next. A window without turns is left out, as the stream
// has no empty windows, with a line about it to messages.
//
// Of a window it holds what the simulation needs, not the rows.
func Run(in *stream.Reader[stream.Invocation], out *stream.Writer[stream.Turn], messages io.Writer, o Options) error {
	s := newStore(o.CPUs, o.AsSeen)
	for {
		var last *stream.Batch[stream.Invocation]
		err := in.Each(func(batch *stream.Batch[stream.Invocation]) error {
			last = batch
			return s.add(batch.ID, batch.Rows, batch.Lines, batch.Errorf)
		})
		if err == io.EOF {
			return out.Close()
		}
		if err != nil {
			return err
		}
		atRow := func(i int, column, format string, args ...any) *stream.Error {
			err := last.Errorf(0, column, format, args...)
			err.Line = s.line(i)
			return err
		}
		turns, err := s.simulate(o, atRow)
		if err != nil {
			return err
		}
		if len(turns) == 0 {
			fmt.Fprintf(messages, "window %d left out: no invocation in it has used CPU time\n", s.id)
		}
		if err := out.WriteFunc(s.id, len(turns), func(i int, row *stream.Turn) { s.turn(turns, i, row) }); err != nil {
			return err
		}
		s.reset()
	}
}
