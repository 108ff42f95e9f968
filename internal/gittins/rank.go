package gittins

import (
	"cmp"
	"slices"
	"sync"
)

// Ranks turns the steps of all classes into ranks as in the policy stream: 1 is
// served first, there are no gaps, equal RankNs have an equal rank. So there are
// no ties to break, and the order of the classes does not matter. The result has
// for each class a rank for each of its steps.
func Ranks(classes []Steps) [][]int64 {
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
	places = sorted(places)
	var rank int64
	for i, p := range places {
		if i == 0 || p.rankNs != places[i-1].rankNs {
			rank++
		}
		ranks[p.class][p.step] = rank
	}
	return ranks
}

// place is where a step is.
type place struct {
	rankNs      float64
	class, step int32 // a smaller place is sorted faster
}

// halfPlaces is from how many places on a second CPU is worth its while.
const halfPlaces = 1 << 14

// sorted returns the places by rank, and may sort them in place. Many are sorted by
// halves at the same time.
func sorted(places []place) []place {
	byRank := func(a, b place) int { return cmp.Compare(a.rankNs, b.rankNs) }
	if len(places) < 2*halfPlaces {
		slices.SortFunc(places, byRank)
		return places
	}
	low, high := places[:len(places)/2], places[len(places)/2:]
	var group sync.WaitGroup
	group.Go(func() { slices.SortFunc(low, byRank) })
	slices.SortFunc(high, byRank)
	group.Wait()
	merged := make([]place, 0, len(places))
	for len(low) > 0 && len(high) > 0 {
		from := &low
		if high[0].rankNs < low[0].rankNs {
			from = &high
		}
		merged = append(merged, (*from)[0])
		*from = (*from)[1:]
	}
	return append(append(merged, low...), high...)
}
