package tune

import (
	"cmp"
	"slices"

	"alps/internal/gittins"
	"alps/internal/stream"
)

// RankBy is what orders the classes, the least first. The zero value is the
// paper's rule.
type RankBy string

const (
	// RankByWait is the median wait of the class's invocations under SRPT: the
	// paper's rule.
	RankByWait RankBy = "wait"
	// RankBySlice is the predicted slice: the artifact's rule.
	RankBySlice RankBy = "slice"
	// RankByDemand is the mean CPU time that the class's invocations need.
	RankByDemand RankBy = "demand"
	// RankByGittins is the Gittins index of the class's demands, by what an
	// invocation has used: up to MaxSteps rows a class. Classes with few
	// invocations have one, with the mean.
	RankByGittins RankBy = "gittins"
)

// MaxSteps is the most rows of a key that alps-load takes.
const MaxSteps = 8

// maxDemands is how many demands of a class its index is made of: at evenly
// spaced ranks, if there are more. More change nothing that eight steps show.
const maxDemands = 1000

// classPolicy is what holds for all keys of a class. The row has no rank yet,
// and is the first one of the class.
type classPolicy struct {
	row  stream.Policy
	pool *pool
}

// ranked gives out the ranks, from 1 without gaps, and returns the rows of all
// keys: by the rank of their class's first row, then by class, key and from_ns.
func (by RankBy) ranked(policies []classPolicy) []stream.Policy {
	if by == RankByGittins {
		return rankedByGittins(policies)
	}
	order := make([]*classPolicy, len(policies))
	for i := range policies {
		order[i] = &policies[i]
	}
	// Ties go by predicted slice as the row shows it, then by class.
	slices.SortFunc(order, func(a, b *classPolicy) int {
		return cmp.Or(
			cmp.Compare(by.of(&a.row), by.of(&b.row)),
			cmp.Compare(a.row.PredictedNs, b.row.PredictedNs),
			cmp.Compare(a.row.Class, b.row.Class))
	})
	rows := make([]stream.Policy, 0, len(policies))
	for i, p := range order {
		p.row.Rank = stream.Count(i + 1)
		for _, key := range p.pool.keys {
			p.row.Key = key
			rows = append(rows, p.row)
		}
	}
	return rows
}

// of is the time that orders the class of a row.
func (by RankBy) of(row *stream.Policy) stream.Nanos {
	switch by {
	case RankBySlice:
		return row.PredictedNs
	case RankByDemand:
		return row.DemandNs
	}
	return row.WaitNs
}

// rankedByGittins makes of each class a row for each step of its index. Equal
// indices have equal ranks. The demand of a row is the index itself: the CPU time
// to be spent for an invocation to be done, as far as is to be expected of one
// that has used so much.
func rankedByGittins(policies []classPolicy) []stream.Policy {
	steps := make([]gittins.Steps, len(policies))
	parallelEach(len(policies), func() func(i int) {
		var r gittins.Reducer
		return func(i int) { steps[i] = indexSteps(&r, policies[i].pool.demandsNs) }
	})
	ranks := gittins.Ranks(steps)
	type place struct {
		rank  int64
		class int
	}
	order := make([]place, len(policies))
	for i := range order {
		order[i] = place{ranks[i][0], i}
	}
	slices.SortFunc(order, func(a, b place) int {
		if a.rank != b.rank {
			return cmp.Compare(a.rank, b.rank)
		}
		return cmp.Compare(policies[a.class].row.Class, policies[b.class].row.Class)
	})
	total := 0
	begins := make([]int, len(order)) // where the rows of each place's class begin
	for at, p := range order {
		begins[at] = total
		total += len(steps[p.class]) * len(policies[p.class].pool.keys)
	}
	rows := make([]stream.Policy, total)
	parallel(len(order), func(at int) {
		i, n := order[at].class, begins[at]
		for _, key := range policies[i].pool.keys {
			for k, step := range steps[i] {
				row := &rows[n]
				*row = policies[i].row
				row.Key, row.FromNs, row.Rank = key, stream.Nanos(step.FromNs), stream.Count(ranks[i][k])
				row.DemandNs = stream.Nanos(max(roundNs(step.RankNs), 1))
				n++
			}
		}
	})
	return rows
}

// minDemands is from how many demands on a class has an index. Of fewer, the mean
// is the better guess (the study in package gittins), above all as some may be of
// invocations that the window has cut short.
const minDemands = 10

// indexSteps is the index of a class's demands in steps, or one step with their
// mean where they are few, all 0, or too large to be counted with.
func indexSteps(r *gittins.Reducer, demandsNs []int64) gittins.Steps {
	if len(demandsNs) >= minDemands {
		if steps, err := r.SpreadSteps(gittins.Thin(demandsNs, maxDemands), MaxSteps); err == nil {
			return steps
		}
	}
	if len(demandsNs) == 0 {
		return gittins.Steps{{RankNs: 1}}
	}
	return gittins.Steps{{RankNs: max(mean(demandsNs), 1)}}
}
