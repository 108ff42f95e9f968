package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/plot/plotter"
)

// A Curve is a distribution, thinned so that millions of values take no more
// room than a thousand.
type Curve struct {
	name string
	n    int
	mean float64
	// points are values and the share of all values that are no larger; a line
	// through them is the distribution.
	points plotter.XYs
}

// NewCurve makes the curve of values, which may be in any order and are left as
// they are. At most about a thousand points are kept: exactly the smallest and
// the largest value and each 200th part of the values, and what is between to
// within 1/256 of the logarithmic range, which is less than the curve is broad.
func NewCurve[T ~int64 | ~float64](name string, values []T) Curve {
	c := Curve{name: name, n: len(values)}
	for _, v := range values {
		c.mean += float64(v) / float64(len(values))
	}
	sorted := slices.Sorted(slices.Values(values))
	c.points = thin(sorted)
	return c
}

const (
	// exactly is how many values are drawn each as its own step.
	exactly = 400
	// columns divide the curve's range on the logarithmic scale. Of each, the
	// first and the last value are kept, so that what has no values stays a level
	// line, however long.
	columns = 256
	// levels divide the shares.
	levels = 200
)

// thin returns the distribution of sorted values as a line.
func thin[T ~int64 | ~float64](sorted []T) plotter.XYs {
	n := len(sorted)
	if n == 0 {
		return nil
	}
	keep := make([]int, 0, n)
	if n <= exactly {
		for i := range n {
			keep = append(keep, i)
		}
	} else {
		keep = kept(sorted)
	}
	// Two neighbours that are further apart than a column have a step between
	// them; with nearer ones a slope looks the same.
	first := firstAbove0(sorted)
	far := math.Pow(float64(sorted[n-1])/float64(sorted[min(first, n-1)]), 1.0/columns)
	var points plotter.XYs
	add := func(x T, rank int) {
		points = append(points, plotter.XY{X: float64(x), Y: float64(rank) / float64(n)})
	}
	for k, i := range keep {
		// Between two kept ones there are others only within a column.
		if k == 0 || n <= exactly || i == keep[k-1]+1 && float64(sorted[i]) > far*float64(sorted[i-1]) {
			add(sorted[i], i)
		}
		add(sorted[i], i+1)
	}
	return points
}

func firstAbove0[T ~int64 | ~float64](sorted []T) int {
	return sort.Search(len(sorted), func(i int) bool { return sorted[i] > 0 })
}

// kept returns the indices of the values that are drawn, in order.
func kept[T ~int64 | ~float64](sorted []T) []int {
	n := len(sorted)
	indices := make([]int, 0, 2*columns+levels+1)
	for level := range levels + 1 {
		indices = append(indices, level*(n-1)/levels)
	}
	// What is not above 0 is at the left end anyway.
	first := firstAbove0(sorted)
	if first < n {
		low, high := math.Log(float64(sorted[first])), math.Log(float64(sorted[n-1]))
		for begin, column := first, 1; begin < n; column++ {
			edge := math.Exp(low + (high-low)*float64(column)/columns)
			end := begin + sort.Search(n-begin, func(i int) bool { return float64(sorted[begin+i]) > edge })
			if column >= columns {
				end = n
			}
			if end > begin {
				indices = append(indices, begin, end-1)
			}
			begin = end
		}
	}
	slices.Sort(indices)
	return slices.Compact(indices)
}

// check refuses a curve that cannot be drawn.
func (c Curve) check() error {
	if c.n == 0 {
		return fmt.Errorf("series %s is empty", c.name)
	}
	if math.IsNaN(c.mean) || math.IsInf(c.mean, 0) {
		return fmt.Errorf("series %s: a value is no number", c.name)
	}
	if c.points[0].X < 0 {
		return fmt.Errorf("series %s: %v is below 0", c.name, c.points[0].X)
	}
	return nil
}

// above returns the line with what is below a limit moved there, because a
// logarithmic scale has no 0.
func (c Curve) above(limit float64) plotter.XYs {
	points := slices.Clone(c.points)
	for i := range points {
		points[i].X = max(points[i].X, limit)
	}
	return points
}

// byMean sorts curves by their means, as the curves come from left to right.
func byMean(curves []Curve) []int {
	order := make([]int, len(curves))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(curves[a].mean, curves[b].mean) })
	return order
}
