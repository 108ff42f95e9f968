package gittins

import (
	"math"
	"math/bits"
	"sort"
)

// gridCells bounds the work of reducing one class: its square for each step.
const gridCells = 32

// doublings is how many doublings of the longest sample steps are made of. Without
// any, a job that has outlived a class's few samples by far is served as one that
// just did: where demands vary much (lognormal 1.5 in the study) mean turnaround is
// then 80% longer with 3 samples, not 20%. More of them take steps from the samples.
const doublings = 4

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
func (d *Distribution) Steps(atMost int) Steps {
	cells := d.cells(max(atMost, gridCells))
	begins := partition(cells, max(atMost, 1))
	steps := make(Steps, 0, len(begins))
	for i, from := range begins {
		to := len(cells)
		if i+1 < len(begins) {
			to = begins[i+1]
		}
		if rankNs := meanRankNs(cells[from:to]); i == 0 || rankNs != steps[len(steps)-1].RankNs {
			steps = append(steps, Step{FromNs: cells[from].fromNs, RankNs: rankNs})
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

// cells divides attained service at samples and doublings into at most so many
// pieces, more than doublings+1; if that takes joining samples, into pieces with
// about the same time.
func (d *Distribution) cells(atMost int) []cell {
	atMost -= doublings
	last := len(d.points) - 1
	totalNs := uint64(d.points[last].costNs)
	share := func(i int) uint64 {
		high, low := bits.Mul64(uint64(d.points[i].costNs), uint64(atMost-1))
		quotient, _ := bits.Div64(high, low, totalNs)
		return quotient
	}
	cells := make([]cell, 0, min(len(d.points), atMost)+doublings)
	for i, p := range d.points {
		rankNs, timeNs := d.RankNs(p.ns), float64(p.ns)
		if i < last {
			timeNs = float64(d.points[i+1].costNs - p.costNs)
		}
		if i == 0 || len(d.points) <= atMost || share(i) != share(i-1) {
			cells = append(cells, cell{p.ns, rankNs, timeNs})
			continue
		}
		joined := &cells[len(cells)-1]
		joined.rankNs = max(joined.rankNs, rankNs)
		joined.timeNs += timeNs
	}
	// A doubling is twice as long as the one before, for half as many.
	timeNs, ns := float64(d.LongestNs()), d.LongestNs()
	for k := 0; k < doublings && ns <= math.MaxInt64/2; k++ {
		ns *= 2
		cells = append(cells, cell{ns, d.RankNs(ns), timeNs})
	}
	return cells
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

// runLosses returns for each run of cells what is lost by making a step of it: the time
// times the squared relative error of G, at least 0. That of the cells from to end-1
// is at end*n+from: those that end together stand together.
func runLosses(cells []cell) []float64 {
	n := len(cells)
	losses := make([]float64, (n+1)*n)
	once, twice := make([]float64, n), make([]float64, n) // of each, time*G and time*G²
	for i, c := range cells {
		once[i] = c.timeNs / c.rankNs
		twice[i] = c.timeNs / c.rankNs / c.rankNs
	}
	for from := range n {
		var timeNs, sumG, sumG2 float64 // weighted by time
		for i := from; i < n; i++ {
			timeNs += cells[i].timeNs
			sumG += once[i]
			sumG2 += twice[i]
			// The products are divided before anything is added, so none is fused.
			variance := sumG2*timeNs/(sumG*sumG) - 1
			losses[(i+1)*n+from] = float64(timeNs * max(variance, 0))
		}
	}
	return losses
}

// partition divides the cells into so many runs that lose least in all, or fewer cells into one each,
// and returns where they begin.
func partition(cells []cell, atMost int) []int {
	n := len(cells)
	if n <= atMost {
		begins := make([]int, n)
		for i := range begins {
			begins[i] = i
		}
		return begins
	}
	// least[end] is what the cells before end lose in the runs so far,
	// last[run*(n+1)+end] where the last of these begins. Each run has a cell, so the
	// first ones leave some for those after them.
	losses := runLosses(cells)
	last := make([]int, atMost*(n+1))
	least, next := make([]float64, n+1), make([]float64, n+1)
	for end := 1; end <= n; end++ {
		least[end] = losses[end*n]
	}
	for run := 1; run < atMost; run++ {
		firstEnd, lastEnd := run+1, n-atMost+run+1
		if run == atMost-1 {
			firstEnd = n
		}
		for end := firstEnd; end <= lastEnd; end++ {
			best, begin := math.Inf(1), 0
			ending, before := losses[end*n:end*n+end], least[:end]
			for from := run; from < end; from++ {
				if loss := before[from] + ending[from]; loss < best {
					best, begin = loss, from
				}
			}
			next[end], last[run*(n+1)+end] = best, begin
		}
		least, next = next, least
	}
	begins := make([]int, atMost)
	end := n
	for run := atMost - 1; run >= 0; run-- {
		end = last[run*(n+1)+end]
		begins[run] = end
	}
	return begins
}
