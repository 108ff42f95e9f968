package compare

import (
	"slices"

	"alps/internal/gittins"
	"alps/internal/sim"
	"alps/internal/stream"
)

// Demands is a [Learner] of the distribution of each class's CPU demand, from
// the invocations that ended in the last windows, for [sim.Gittins].
type Demands struct {
	history int
	windows [][]demand // oldest first
	tables  []sim.GittinsTable
}

type demand struct {
	class int32
	ns    int64
}

// maxDemands is how many demands of a class are kept: at evenly spaced ranks,
// if there are more. The rank of an invocation is looked at anew at each of
// them.
const maxDemands = 256

// NewDemands returns a learner that looks at so many windows back.
func NewDemands(history int) *Demands { return &Demands{history: history} }

// Learn implements [Learner].
func (l *Demands) Learn(w *stream.Window[stream.Invocation], t *Timeline) error {
	if len(l.windows) > 0 {
		if err := l.tabulate(t); err != nil {
			return err
		}
	}
	var ended []demand
	for i := range w.Rows {
		if row := &w.Rows[i]; row.EndNs.Valid && row.CPUNs > 0 {
			ended = append(ended, demand{t.class[string(row.Class)], int64(row.CPUNs)})
		}
	}
	if len(l.windows) == l.history {
		l.windows = slices.Delete(l.windows, 0, 1)
	}
	l.windows = append(l.windows, ended)
	return nil
}

// tabulate makes the table that comes into force as the timeline's last window
// begins.
func (l *Demands) tabulate(t *Timeline) error {
	table := sim.GittinsTable{FromNs: t.Windows[len(t.Windows)-1].BeginNs, Classes: make([]*gittins.Distribution, len(t.Classes))}
	byClass := make([][]int64, len(t.Classes))
	var all []int64
	for _, window := range l.windows {
		for _, d := range window {
			byClass[d.class] = append(byClass[d.class], d.ns)
			all = append(all, d.ns)
		}
	}
	if len(all) == 0 {
		return nil
	}
	var err error
	for class, ns := range byClass {
		if len(ns) > 0 {
			if table.Classes[class], err = gittins.New(gittins.Spread(gittins.Thin(ns, maxDemands))); err != nil {
				return err
			}
		}
	}
	if table.Unknown, err = gittins.New(gittins.Spread(gittins.Thin(all, maxDemands))); err != nil {
		return err
	}
	if n := len(l.tables); n > 0 && l.tables[n-1].FromNs >= table.FromNs {
		l.tables = l.tables[:n-1] // two windows began at once: the later counts
	}
	l.tables = append(l.tables, table)
	return nil
}

// Tables returns the tables that came into force, in order of time.
func (l *Demands) Tables() []sim.GittinsTable { return l.tables }
