package gittins

import (
	"cmp"
	"slices"
)

// Ranks turns the steps of all classes into ranks as in the policy stream: 1 is
// served first, there are no gaps, equal RankNs have an equal rank. So there are
// no ties to break, and the order of the classes does not matter. The result has
// for each class a rank for each of its steps.
func Ranks(classes []Steps) [][]int64 {
	type place struct {
		rankNs      float64
		class, step int32 // a smaller place is sorted faster
	}
	total := 0
	for _, steps := range classes {
		total += len(steps)
	}
	places := make([]place, 0, total)
	ranks := make([][]int64, len(classes))
	for class, steps := range classes {
		ranks[class] = make([]int64, len(steps))
		for step := range steps {
			places = append(places, place{steps[step].RankNs, int32(class), int32(step)})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.rankNs, b.rankNs) })
	var rank int64
	for i, p := range places {
		if i == 0 || p.rankNs != places[i-1].rankNs {
			rank++
		}
		ranks[p.class][p.step] = rank
	}
	return ranks
}
