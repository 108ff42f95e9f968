package load

import (
	"cmp"
	"fmt"
	"slices"

	"alps/internal/stream"
	"alps/internal/unknown"
)

// NoFunctions, as Options.Functions, leaves functions that the policy does not
// know to the system's tasks.
const NoFunctions = "none"

// CheckFunctions tells what is wrong with Options.Functions.
func CheckFunctions(functions string) error {
	if functions == "" || functions == NoFunctions {
		return nil
	}
	if _, fault := parseKey("cgroup:" + functions); fault != "" {
		return fmt.Errorf("functions: %q %s", functions, fault)
	}
	return nil
}

// withUnknown returns the table with rows for functions that the policy does not know:
// for tasks in the cgroup functions or below that no other key fits. Where the policy
// has such rows itself (class *), they are taken, for that cgroup. Without one, they
// stay as they are, or are made for the common parent of the policy's cgroups.
// A policy of [MaxClasses] keys has no room for more.
func (t *Table) withUnknown(functions string) (*Table, error) {
	at := slices.IndexFunc(t.Classes, func(c Class) bool { return c.Name == unknown.Class })
	key := ""
	switch {
	case functions == NoFunctions && at < 0, functions == "" && at >= 0, len(t.Classes) == MaxClasses:
		return t, nil
	case functions == "":
		key = unknown.Key(t.keys())
	case functions != NoFunctions:
		key = "cgroup:" + functions
	}
	if slices.ContainsFunc(t.Classes, func(c Class) bool { return c.Key == key && c.Name != unknown.Class }) {
		key = "" // a class of the policy stands for all that is there
	}
	rows := slices.Clone(t.Rows)
	var own []stream.Policy
	if at >= 0 {
		own = slices.DeleteFunc(slices.Clone(rows), func(r stream.Policy) bool { return r.Class != unknown.Class })
		rows = slices.DeleteFunc(rows, func(r stream.Policy) bool { return r.Class == unknown.Class })
	} else if key != "" {
		own = unknownRows(t)
	}
	if key != "" {
		for _, row := range own {
			row.Key = key
			rows = append(rows, row)
		}
	}
	return Check(&stream.Window[stream.Policy]{ID: t.Window, Rows: rows})
}

// keys are the keys of the policy.
func (t *Table) keys() []string {
	keys := make([]string, len(t.Classes))
	for i := range t.Classes {
		keys[i] = t.Classes[i].Key
	}
	return keys
}

// unknownRows makes the rows of class *, without a key: who has used so much CPU
// time is taken for one of the class that needs the least more, and never for one of a
// better rank than before. So a new short function waits for few, and a new long one
// is soon behind those that are known to be shorter. Where the policy does not say
// what its classes need, it is one of the middle rank.
func unknownRows(t *Table) []stream.Policy {
	first := make([]Step, len(t.Classes))
	for i := range t.Classes {
		first[i] = t.Classes[i].Steps[0]
	}
	if t.needs(1) == nil {
		if len(first) == 0 {
			return nil
		}
		slices.SortFunc(first, func(a, b Step) int { return cmp.Compare(a.Rank, b.Rank) })
		return []stream.Policy{{Class: unknown.Class, Rank: stream.Count(first[(len(first)-1)/2].Rank)}}
	}
	slices.SortFunc(first, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.DemandNs, b.DemandNs), cmp.Compare(a.Rank, b.Rank))
	})
	var rows []stream.Policy
	var worst uint32
	var fromNs uint64
	parts := min(len(first), MaxSteps)
	for part := range parts {
		// The last of each part stands for it.
		last := first[(part+1)*len(first)/parts-1]
		worst = max(worst, last.Rank)
		if part > 0 && last.DemandNs <= fromNs {
			continue
		}
		rows = append(rows, stream.Policy{
			Class: unknown.Class, FromNs: stream.Nanos(fromNs),
			Rank: stream.Count(worst), DemandNs: stream.Nanos(last.DemandNs),
		})
		fromNs = last.DemandNs
	}
	return rows
}
