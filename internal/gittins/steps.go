package gittins

import (
	"math"
	"sort"
)

// Step is a rank that holds from an attained service on.
type Step struct {
	// FromNs is 0, a sample, or a doubling of the longest.
	FromNs int64
	// RankNs is as that of [Distribution.RankNs].
	RankNs float64
}

// Steps is a rank as a step function of attained service: at least one step, the
// first from 0, the others by FromNs, no two neighbours with the same rank.
type Steps []Step

// RankNs is the rank at an attained service of at least 0.
func (s Steps) RankNs(attainedNs int64) float64 { return s[s.begun(attainedNs)-1].RankNs }

// NextChange is where the step after an attained service begins;
// [math.MaxInt64] if there is none.
func (s Steps) NextChange(attainedNs int64) int64 {
	if next := s.begun(attainedNs); next < len(s) {
		return s[next].FromNs
	}
	return math.MaxInt64
}

// begun is how many steps have begun at an attained service.
func (s Steps) begun(attainedNs int64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].FromNs > attainedNs })
}

// Steps is the distribution's rank in at most so many steps, at least 1.
//
// With as many steps as distinct samples and 5 more, it is exact at 0, at each
// sample and at the first 4 doublings of the longest, and between them what it is at
// the one before: the rank can get worse only there, and what it gets better up to
// the next is given up.
//
// With fewer, a step has the mean G over the time that samples spend in it, and
// the steps are those with the least squared relative error of G over that time.
// Past the longest sample, time counts as if one more sample, then half of one and
// so on, lived on to the next doubling. If there are more than 27
// distinct samples and too few steps to be exact, those that follow each other
// closely in that time are taken together first, with the worst of their ranks.
func (d *Distribution) Steps(atMost int) Steps { return new(Reducer).steps(d, atMost) }
