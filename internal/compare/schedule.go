package compare

import (
	"math"

	"alps/internal/sim"
	"alps/internal/stream"
	"alps/internal/unknown"
)

// Schedule is policies as they come into force over a timeline: each with the
// begin of the window after the one it was learnt from.
type Schedule struct {
	tables []sim.Table // the last one may have no time yet: notYet
}

const notYet = math.MaxInt64

// Begin lets the policy added last come into force as the timeline's last window
// begins. It is called once for each window, before what is learnt from it is
// added.
func (s *Schedule) Begin(t *Timeline) {
	if n := len(s.tables); n > 0 && s.tables[n-1].FromNs == notYet {
		s.tables[n-1].FromNs = t.Windows[len(t.Windows)-1].BeginNs
	}
}

// Add adds a policy. A class has one key in it at most; class tells its place in
// the timeline.
func (s *Schedule) Add(t *Timeline, rows []stream.Policy, class func(name stream.Name) int32) {
	table := sim.Table{FromNs: notYet, Classes: make([][]sim.Step, len(t.Classes))}
	for i := range rows {
		row := &rows[i]
		step := sim.Step{FromNs: int64(row.FromNs), Rank: int32(row.Rank), SliceNs: int64(row.SliceNs), DemandNs: int64(row.DemandNs)}
		if row.Class == unknown.Class {
			table.Unknown = append(table.Unknown, step)
			continue
		}
		at := class(row.Class)
		table.Classes[at] = append(table.Classes[at], step)
	}
	s.tables = append(s.tables, table)
}

// Tables returns the policies that came into force, in order of time.
func (s *Schedule) Tables() []sim.Table {
	var tables []sim.Table
	for _, table := range s.tables {
		if table.FromNs == notYet {
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
