package compare

import (
	"fmt"
	"strconv"

	"alps/internal/sim"
	"alps/internal/stream"
	"alps/internal/tune"
)

// Tables is a [Learner] that makes of each window the policy that
// alps-sim | alps-tune would, in force from the begin of the next window on.
type Tables struct {
	tuner    *tune.Tuner
	schedule Schedule
}

// NewTables returns a learner that tunes with these options.
func NewTables(o tune.Options) *Tables {
	o.Unknown = true
	return &Tables{tuner: tune.New(o)}
}

// KeyOf is a key for the class at a place in the timeline. All are in one cgroup,
// so that the policy has a row for classes not known yet.
func KeyOf(class int32) string { return "cgroup:/functions/" + strconv.Itoa(int(class)) }

// Learn implements [Learner].
func (l *Tables) Learn(w *stream.Window[stream.Invocation], t *Timeline) error {
	l.schedule.Begin(t)
	for i := range w.Rows {
		if pct := w.Rows[i].UtilPct; pct != w.Rows[0].UtilPct {
			return w.Errorf(i, "util_pct", "%g differs from the %g on line %d of this window", pct, w.Rows[0].UtilPct, w.Lines[0])
		}
	}
	turns, err := sim.Turns(w, sim.Options{CPUs: t.CPUs, Policy: func([]sim.Job) sim.Policy {
		return sim.SRPT{MinSliceNs: sim.DefaultMinSliceNs}
	}})
	if err != nil {
		return err
	}
	if len(turns) == 0 {
		return nil
	}
	for i := range turns {
		// The tuner tells classes by name, of which it has one itself, and by
		// key; one for each will do.
		class := t.class[string(turns[i].Class)]
		turns[i].Key = KeyOf(class)
		turns[i].Class = numbered(class)
	}
	rows, err := l.tuner.Policy(&stream.Window[stream.Turn]{ID: w.ID, Rows: turns, Lines: make([]int, len(turns))})
	if err != nil {
		return fmt.Errorf("window %d: %w", w.ID, err)
	}
	classes := make(map[stream.Name]int32, len(t.Classes))
	for class := range t.Classes {
		classes[numbered(int32(class))] = int32(class)
	}
	l.schedule.Add(t, rows, func(name stream.Name) int32 { return classes[name] })
	return nil
}

// numbered is a name for the class at a place in the timeline.
func numbered(class int32) stream.Name { return stream.Name("c" + strconv.Itoa(int(class))) }

// Tables returns the tables that came into force, in order of time.
func (l *Tables) Tables() []sim.Table { return l.schedule.Tables() }
