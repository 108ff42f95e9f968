package gittins

import (
	"math"
	"slices"
)

// partition divides cells into the runs that lose least when each is made a step. It
// is reused.
type partition struct {
	once, twice []float64 // of each cell, time*G and time*G²
	// losses has for each run of cells what is lost by making a step of it: the time
	// times the squared relative error of G, at least 0. That of the cells from to
	// end-1 is at end*n+from: those that end together stand together.
	losses []float64
	// least[end] is what the cells before end lose in the runs so far,
	// last[run*(n+1)+end] where the last of these begins.
	least, next []float64
	last        []int32
	begins      []int
}

// of divides the cells into so many runs that lose least in all, or fewer cells into
// one each, and returns where they begin.
func (p *partition) of(cells []cell, atMost int) []int {
	n := len(cells)
	if n <= atMost {
		p.begins = p.begins[:0]
		for i := range n {
			p.begins = append(p.begins, i)
		}
		return p.begins
	}
	p.findLosses(cells)
	p.last = sized(p.last, atMost*(n+1))
	p.least, p.next = sized(p.least, n+1), sized(p.next, n+1)
	for end := 1; end <= n; end++ {
		p.least[end] = p.losses[end*n]
	}
	// Each run has a cell, so the first ones leave some for those after them.
	for run := 1; run < atMost; run++ {
		firstEnd, lastEnd := run+1, n-atMost+run+1
		if run == atMost-1 {
			firstEnd = n
		}
		for end := firstEnd; end <= lastEnd; end++ {
			loss, from := leastSum(p.least[run:end], p.losses[end*n+run:end*n+end])
			p.next[end], p.last[run*(n+1)+end] = loss, int32(run+from)
		}
		p.least, p.next = p.next, p.least
	}
	p.begins = sized(p.begins, atMost)
	end := n
	for run := atMost - 1; run > 0; run-- {
		end = int(p.last[run*(n+1)+end])
		p.begins[run] = end
	}
	p.begins[0] = 0
	return p.begins
}

// leastSum is the least sum of two numbers that stand at the same place, and the first
// place that has it. The numbers, of which there are as many in b as in a, are not
// negative: so their bits have their order, and whole numbers are compared without
// branches, which would be mispredicted.
func leastSum(a, b []float64) (sum float64, place int) {
	b = b[:len(a)]
	least := int64(math.MaxInt64)
	for i, v := range a {
		if bits := int64(math.Float64bits(v + b[i])); bits < least {
			least, place = bits, i
		}
	}
	return math.Float64frombits(uint64(least)), place
}

func (p *partition) findLosses(cells []cell) {
	n := len(cells)
	p.losses = sized(p.losses, (n+1)*n)
	p.once, p.twice = sized(p.once, n), sized(p.twice, n)
	for i, c := range cells {
		p.once[i] = c.timeNs / c.rankNs
		p.twice[i] = c.timeNs / c.rankNs / c.rankNs
	}
	for from := range n {
		var timeNs, sumG, sumG2 float64 // weighted by time
		for i := from; i < n; i++ {
			timeNs += cells[i].timeNs
			sumG += p.once[i]
			sumG2 += p.twice[i]
			// The products are divided before anything is added, so none is fused.
			variance := sumG2*timeNs/(sumG*sumG) - 1
			p.losses[(i+1)*n+from] = float64(timeNs * max(variance, 0))
		}
	}
}

// sized has n elements, of which it does not matter what they are.
func sized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }
