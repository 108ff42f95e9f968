package gittins

import (
	"math/big"

	"pgregory.net/rapid"
)

// bruteRank is 1/G straight from the definition, for samples and an attained
// service that are small: every quantum up to the longest sample is tried.
func bruteRank(samplesNs []int64, attainedNs int64) *big.Rat {
	var longestNs int64
	for _, ns := range samplesNs {
		longestNs = max(longestNs, ns)
	}
	var best *big.Rat
	for quantumNs := int64(1); attainedNs+quantumNs <= longestNs; quantumNs++ {
		var done, costNs int64
		for _, ns := range samplesNs {
			if ns <= attainedNs {
				continue
			}
			if ns-attainedNs <= quantumNs {
				done++
			}
			costNs += min(ns-attainedNs, quantumNs)
		}
		if done == 0 {
			continue
		}
		if rank := big.NewRat(costNs, done); best == nil || rank.Cmp(best) < 0 {
			best = rank
		}
	}
	return best
}

func mustNew(t rapid.TB, samplesNs ...int64) *Distribution {
	t.Helper()
	d, err := New(samplesNs)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// checkRank compares the rank with the definition, exactly.
func checkRank(t rapid.TB, d *Distribution, samplesNs []int64, attainedNs int64) {
	t.Helper()
	want := bruteRank(samplesNs, attainedNs)
	costNs, done := d.fraction(attainedNs)
	if got := big.NewRat(costNs, done); got.Cmp(want) != 0 {
		t.Fatalf("samples %v, attained %d: rank %v, by the definition %v", samplesNs, attainedNs, got, want)
	}
	if ns, _ := want.Float64(); d.RankNs(attainedNs) != ns {
		t.Fatalf("samples %v, attained %d: RankNs %v, by the definition %v", samplesNs, attainedNs, d.RankNs(attainedNs), ns)
	}
}
