package compare

import (
	"fmt"
	"math"
	"strconv"

	"alps/internal/sim"
	"alps/internal/stream"
	"alps/internal/tune"
)

// Tables is a [Learner] that makes of each window the policy that
// alps-sim | alps-tune would, in force from the begin of the next window on.
type Tables struct {
	tuner *tune.Tuner
	next  []sim.Table // the last one has no time yet
}

// NewTables returns a learner that tunes with these options.
func NewTables(o tune.Options) *Tables {
	o.Unknown = true
	return &Tables{tuner: tune.New(o)}
}

// functions is the cgroup below which all classes are taken to be, so that the
// policy has a row for those not known yet.
const functions = "cgroup:/functions/"

// Learn implements [Learner].
func (l *Tables) Learn(w *stream.Window[stream.Invocation], t *Timeline) error {
	l.date(t)
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
		class := t.class[string(turns[i].Class)]
		// The tuner tells classes by name, and by key; one for each will do.
		turns[i].Key = functions + strconv.Itoa(int(class))
		turns[i].Class = stream.Name("c" + strconv.Itoa(int(class)))
	}
	rows, err := l.tuner.Policy(&stream.Window[stream.Turn]{ID: w.ID, Rows: turns, Lines: make([]int, len(turns))})
	if err != nil {
		return fmt.Errorf("window %d: %w", w.ID, err)
	}
	table := sim.Table{FromNs: math.MaxInt64, Classes: make([][]sim.Step, len(t.Classes))}
	for i := range rows {
		row := &rows[i]
		step := sim.Step{FromNs: int64(row.FromNs), Rank: int32(row.Rank), SliceNs: int64(row.SliceNs), DemandNs: int64(row.DemandNs)}
		if row.Class == tune.UnknownClass {
			table.Unknown = append(table.Unknown, step)
			continue
		}
		class, err := strconv.Atoi(string(row.Class[1:]))
		if err != nil {
			return fmt.Errorf("window %d: %w", w.ID, err)
		}
		table.Classes[class] = append(table.Classes[class], step)
	}
	l.next = append(l.next, table)
	return nil
}

// date lets the table learnt last come into force now that a window has come.
func (l *Tables) date(t *Timeline) {
	if n := len(l.next); n > 0 && l.next[n-1].FromNs == math.MaxInt64 {
		l.next[n-1].FromNs = t.Windows[len(t.Windows)-1].BeginNs
	}
}

// Tables returns the tables that came into force, in order of time.
func (l *Tables) Tables() []sim.Table {
	var tables []sim.Table
	for _, table := range l.next {
		if table.FromNs == math.MaxInt64 {
			continue
		}
		if n := len(tables); n > 0 && tables[n-1].FromNs >= table.FromNs {
			tables[n-1] = table // two windows began at once: the later counts
			continue
		}
		tables = append(tables, table)
	}
	return tables
}
