package gittins

import (
	"math"
	"math/bits"
	"slices"

	"alps/internal/radix"
)

// gridCells bounds the work of reducing one class: its square for each step.
const gridCells = 32

// doublings is how many doublings of the longest sample steps are made of. Without
// any, a job that has outlived a class's few samples by far is served as one that
// just did: where demands vary much (lognormal 1.5 in the study) mean turnaround is
// then 80% longer with 3 samples, not 20%. More of them take steps from the samples.
const doublings = 4

// Reducer reduces distributions to steps, one after another in the same memory. The
// zero value is ready. It is for one goroutine at a time.
type Reducer struct {
	sorted       []int64
	distribution Distribution
	hull         []int32
	ranksNs      []float64 // at the distribution's points
	cells        []cell
	partition    partition
}

// SpreadSteps returns the steps of the samples as [Spread] spreads them: those of
// New(Spread(samplesNs)), with its errors.
func (r *Reducer) SpreadSteps(samplesNs []int64, atMost int) (Steps, error) {
	r.sorted = appendSpread(r.sorted[:0], samplesNs)
	radix.Sort(r.sorted)
	if err := r.distribution.count(r.sorted); err != nil {
		return nil, err
	}
	return r.steps(&r.distribution, atMost), nil
}

// steps is [Distribution.Steps]. It takes nothing of the distribution but the points.
func (r *Reducer) steps(d *Distribution, atMost int) Steps {
	r.divide(d, max(atMost, gridCells))
	begins := r.partition.of(r.cells, max(atMost, 1))
	steps := make(Steps, 0, len(begins))
	for i, from := range begins {
		to := len(r.cells)
		if i+1 < len(begins) {
			to = begins[i+1]
		}
		if rankNs := meanRankNs(r.cells[from:to]); i == 0 || rankNs != steps[len(steps)-1].RankNs {
			steps = append(steps, Step{FromNs: r.cells[from].fromNs, RankNs: rankNs})
		}
	}
	return steps
}

// cell is the smallest piece that steps are made of.
type cell struct {
	fromNs int64
	rankNs float64
	timeNs float64 // that all samples together spend in it
}

// divide divides attained service at samples and doublings into at most so many
// cells, more than doublings+1; if that takes joining samples, into cells with about
// the same time.
func (r *Reducer) divide(d *Distribution, atMost int) {
	r.rankPoints(d)
	atMost -= doublings
	last := len(d.points) - 1
	totalNs := uint64(d.points[last].costNs)
	r.cells = r.cells[:0]
	var shareBefore uint64
	for i, p := range d.points {
		rankNs, timeNs := r.ranksNs[i], float64(p.ns)
		if i < last {
			timeNs = float64(d.points[i+1].costNs - p.costNs)
		}
		high, low := bits.Mul64(uint64(p.costNs), uint64(atMost-1))
		share, _ := bits.Div64(high, low, totalNs)
		if i == 0 || len(d.points) <= atMost || share != shareBefore {
			r.cells = append(r.cells, cell{p.ns, rankNs, timeNs})
		} else {
			joined := &r.cells[len(r.cells)-1]
			joined.rankNs = max(joined.rankNs, rankNs)
			joined.timeNs += timeNs
		}
		shareBefore = share
	}
	// A doubling is twice as long as the one before, for half as many.
	timeNs, ns := float64(d.LongestNs()), d.LongestNs()
	for k := 0; k < doublings && ns <= math.MaxInt64/2; k++ {
		ns *= 2
		r.cells = append(r.cells, cell{ns, d.RankNs(ns), timeNs})
	}
}

// rankPoints sets the ranks at the points. [Distribution.RankNs] would search for
// each.
func (r *Reducer) rankPoints(d *Distribution) {
	n := len(d.points)
	r.ranksNs = slices.Grow(r.ranksNs[:0], n)[:n]
	r.ranksNs[n-1] = d.RankNs(d.LongestNs())
	r.hull = slices.Grow(r.hull[:0], n)
	d.eachHull(r.hull, func(i, best int, hull []int32) {
		from, to := d.points[i], d.points[hull[best]]
		r.ranksNs[i] = float64(to.costNs-from.costNs) / float64(to.done-from.done)
	})
}

// meanRankNs is 1 over the mean G of the cells, by time. It is kept between the
// best and the worst of them, so that equal ranks stay equal in spite of rounding.
func meanRankNs(cells []cell) float64 {
	var timeNs, completions float64
	best, worst := cells[0].rankNs, cells[0].rankNs
	for _, c := range cells {
		timeNs += c.timeNs
		completions += c.timeNs / c.rankNs
		best, worst = min(best, c.rankNs), max(worst, c.rankNs)
	}
	return min(max(timeNs/completions, best), worst)
}
