package gittins

import (
	"math"

	"alps/internal/radix"
)

// Spread returns samples that allow for what a few samples do not show: five for
// each, of which it is the middle one: 3/4, 7/8, 1, 5/4 and 2 times it, rounded
// towards it, and at most [math.MaxInt64]. The package comment says what that is
// good for. Samples of 0 stay 0.
func Spread(samplesNs []int64) []int64 {
	return appendSpread(make([]int64, 0, 5*len(samplesNs)), samplesNs)
}

func appendSpread(spread, samplesNs []int64) []int64 {
	for _, ns := range samplesNs {
		more, twice := int64(math.MaxInt64), int64(math.MaxInt64)
		if ns <= math.MaxInt64/2 {
			more, twice = ns+ns/4, 2*ns
		}
		spread = append(spread, ns-ns/4, ns-ns/8, ns, more, twice)
	}
	return spread
}

// Thin returns at most so many of the samples, at least 1: those at evenly spaced
// ranks, if there are more. It sorts the samples.
func Thin(samplesNs []int64, atMost int) []int64 {
	radix.Sort(samplesNs)
	n := len(samplesNs)
	if n <= atMost {
		return samplesNs
	}
	few := make([]int64, atMost)
	for i := range few {
		few[i] = samplesNs[(2*i+1)*n/(2*atMost)]
	}
	return few
}
