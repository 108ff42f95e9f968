package gittins

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sort"
)

// ErrNoSamples says that no sample is more than 0.
var ErrNoSamples = errors.New("no sample is more than 0")

// Distribution is the empirical distribution of a class's CPU demand. It does
// not change once made and may be used by several goroutines.
type Distribution struct {
	samples int64
	// points are the distinct samples in ascending order, after the origin.
	points []point
	// tangents has for each point i but the last, at tangents[first[i]:first[i+1]],
	// the points ahead that can be the best stop of a job between i and i+1,
	// nearest first. All but the last of them are then hidden for the points before
	// i, so there are fewer than 2 a point.
	tangents []int32
	first    []int32
}

// point is a place to stop serving a job: at a sample.
type point struct {
	ns int64
	// done is how many samples are at most ns: the completions.
	done int64
	// costNs is the CPU time that all samples need until they are done or at ns.
	costNs int64
}

// New returns the distribution of a class's CPU demands as they were seen, in ns
// and in any order; it does not keep or change them. Samples of 0 are left out:
// the index is of a job that is not done yet, of which they tell nothing.
//
// Errors: [ErrNoSamples]; a sample below 0; and samples so many and so long that
// their number times the longest is over 63 bits (10,000 samples of 10 days are
// not).
func New(samplesNs []int64) (*Distribution, error) {
	d := new(Distribution)
	if err := d.count(slices.Sorted(slices.Values(samplesNs))); err != nil {
		return nil, err
	}
	d.findTangents()
	return d, nil
}

// count makes the points of samples that are sorted, in the memory of those before.
func (d *Distribution) count(sorted []int64) error {
	if len(sorted) > 0 && sorted[0] < 0 {
		return fmt.Errorf("sample %d ns is below 0", sorted[0])
	}
	zeros, _ := slices.BinarySearch(sorted, 1)
	sorted = sorted[zeros:]
	if len(sorted) == 0 {
		return ErrNoSamples
	}
	n := int64(len(sorted))
	if longest := sorted[n-1]; longest > math.MaxInt64/n || n > math.MaxInt32/2 {
		return fmt.Errorf("%d samples of up to %d ns add up to more than 63 bits", n, longest)
	}

	d.samples = n
	d.points = append(slices.Grow(d.points[:0], len(sorted)+1), point{})
	var sumNs int64
	for i, ns := range sorted {
		sumNs += ns
		if int64(i+1) < n && sorted[i+1] == ns {
			continue
		}
		done := int64(i + 1)
		d.points = append(d.points, point{ns: ns, done: done, costNs: sumNs + (n-done)*ns})
	}
	return nil
}

// findTangents goes through the points from the right and keeps the lower convex
// hull, over (done, costNs), of those ahead. What point i hides of it is where the
// tangents from between i and i+1 end.
func (d *Distribution) findTangents() {
	last := len(d.points) - 1
	d.first = make([]int32, last+1)
	reversed := make([]int32, 0, 2*last)
	d.eachHull(make([]int32, 0, last+1), func(i, best int, hull []int32) {
		reversed = append(reversed, hull[best:]...)
		d.first[i] = int32(len(reversed))
	})
	slices.Reverse(reversed)
	d.tangents = reversed
	total := int32(len(reversed))
	for i := range d.first {
		d.first[i] = total - d.first[i]
	}
}

// eachHull calls f for each point but the last, from the right, with the hull of
// those ahead, the nearest at its end, and where in it the best stop of a job at the
// point is. The hull is made in that memory.
func (d *Distribution) eachHull(hull []int32, f func(i, best int, hull []int32)) {
	last := len(d.points) - 1
	hull = append(hull[:0], int32(last))
	for i := last - 1; i >= 0; i-- {
		kept := len(hull)
		for kept > 1 && !d.nearerIsBest(d.points[i], hull[kept-1], hull[kept-2]) {
			kept--
		}
		f(i, kept-1, hull)
		hull = append(hull[:kept], int32(i))
	}
}

// nearerIsBest tells whether a job at from does at least as well to stop at the
// nearer of two points.
func (d *Distribution) nearerIsBest(from point, nearer, farther int32) bool {
	near, far := d.points[nearer], d.points[farther]
	nearHigh, nearLow := bits.Mul64(uint64(near.costNs-from.costNs), uint64(far.done-from.done))
	farHigh, farLow := bits.Mul64(uint64(far.costNs-from.costNs), uint64(near.done-from.done))
	return nearHigh < farHigh || nearHigh == farHigh && nearLow <= farLow
}

// fraction is 1/G at an attained service below the longest sample: the CPU time
// and how many of the samples it completes.
func (d *Distribution) fraction(attainedNs int64) (costNs, done int64) {
	i := d.at(attainedNs)
	from := d.points[i]
	from.costNs += (d.samples - from.done) * (attainedNs - from.ns)
	stops := d.tangents[d.first[i]:d.first[i+1]]
	best := sort.Search(len(stops)-1, func(k int) bool {
		return d.nearerIsBest(from, stops[k], stops[k+1])
	})
	to := d.points[stops[best]]
	return to.costNs - from.costNs, to.done - from.done
}

// at is the last point that is not beyond an attained service of at least 0.
func (d *Distribution) at(attainedNs int64) int {
	return sort.Search(len(d.points), func(k int) bool { return d.points[k].ns > attainedNs }) - 1
}

// LongestNs is the longest sample.
func (d *Distribution) LongestNs() int64 { return d.points[len(d.points)-1].ns }

// RankNs is the Gittins rank of a job that has had so much CPU time, at least 0 ns:
// 1/G, the CPU time to spend on it for each completion that is to be expected, in ns.
// It is more than 0 and finite, and lower is better. A job that has outlived all
// samples has as its rank the longest of them, doubled as often as it has outlived
// that.
//
// It is a whole number divided by another, rounded once, so the same on all
// machines.
func (d *Distribution) RankNs(attainedNs int64) float64 {
	if attainedNs >= d.LongestNs() {
		return float64(d.outlivedNs(attainedNs))
	}
	costNs, done := d.fraction(attainedNs)
	return float64(costNs) / float64(done)
}

// outlivedNs is the longest sample doubled as often as it does not exceed what a
// job has had.
func (d *Distribution) outlivedNs(attainedNs int64) int64 {
	ns := d.LongestNs()
	return ns << (bits.Len64(uint64(attainedNs/ns)) - 1)
}

// NextChange is the next attained service, in ns and more than the one given, at
// which the rank can get worse: the next sample, and after the longest its next
// doubling; [math.MaxInt64] if there is none. Up to there it only gets better.
func (d *Distribution) NextChange(attainedNs int64) int64 {
	if attainedNs < d.LongestNs() {
		return d.points[d.at(attainedNs)+1].ns
	}
	ns := d.outlivedNs(attainedNs)
	if ns > math.MaxInt64/2 {
		return math.MaxInt64
	}
	return 2 * ns
}
