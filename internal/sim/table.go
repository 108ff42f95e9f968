package sim

import (
	"fmt"

	"alps/internal/patience"
)

// Step is how a class is scheduled once an invocation has used FromNs of CPU
// time: a row of a policy.
type Step struct {
	FromNs  int64
	Rank    int32 // 1 is served first
	SliceNs int64 // guaranteed slice; 0: none
	// DemandNs is the CPU time that an invocation needs in all; 0: not known.
	DemandNs int64
}

// Table is a policy and when it comes into force.
type Table struct {
	// FromNs is when, on the clock of the arrivals.
	FromNs int64
	// Classes has for each class its steps by FromNs, the first from 0. A class
	// beyond its end, or without steps, is not in the policy.
	Classes [][]Step
	// Unknown are the steps of classes that are not in the policy. Without any
	// they are system tasks: served before all others, fairly.
	Unknown []Step
}

// steps returns the steps of a class; none if it is a system task.
func (t *Table) steps(class int32) []Step {
	if int(class) < len(t.Classes) && len(t.Classes[class]) > 0 {
		return t.Classes[class]
	}
	return t.Unknown
}

// each calls f for each list of steps.
func (t *Table) each(f func(steps []Step) error) error {
	for _, steps := range t.Classes {
		if err := f(steps); err != nil {
			return err
		}
	}
	return f(t.Unknown)
}

// checkTables refuses tables that no alps-load would take.
func checkTables(tables []Table) error {
	for i := range tables {
		if i > 0 && tables[i].FromNs <= tables[i-1].FromNs {
			return fmt.Errorf("simulate tables from %d ns and then %d ns: they must come one after another", tables[i-1].FromNs, tables[i].FromNs)
		}
		err := tables[i].each(func(steps []Step) error {
			for j, s := range steps {
				switch {
				case j == 0 && s.FromNs != 0, j > 0 && s.FromNs <= steps[j-1].FromNs:
					return fmt.Errorf("simulate a step from %d ns: the first is from 0, and they grow", s.FromNs)
				case s.Rank < 1, s.SliceNs < 0, s.DemandNs < 0:
					return fmt.Errorf("simulate the step %+v: a rank is at least 1, a time not negative", s)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stepAt returns the step that holds at an attained CPU time, and at which
// attained CPU time the next one does; never if none.
func stepAt(steps []Step, attainedNs int64) (step Step, untilNs int64) {
	step, untilNs = steps[0], never
	for _, s := range steps[1:] {
		if attainedNs < s.FromNs {
			return step, s.FromNs
		}
		step = s
	}
	return step, untilNs
}

// needs is what [patience.NeedByRank] says of the ranks of a table; nil where
// ranks are strict.
func (t *Table) needs(stretch int) map[uint32]uint64 {
	if stretch == 0 {
		return nil
	}
	demandNs := make(map[uint32]uint64)
	known := true
	_ = t.each(func(steps []Step) error {
		for _, s := range steps {
			known = known && s.DemandNs > 0
			demandNs[uint32(s.Rank)] = max(demandNs[uint32(s.Rank)], uint64(s.DemandNs))
		}
		return nil
	})
	if !known {
		return nil
	}
	return patience.NeedByRank(demandNs, stretch)
}
