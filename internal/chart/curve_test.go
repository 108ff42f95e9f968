package chart

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"gonum.org/v1/plot/plotter"
)

func TestFewValuesAreSteps(t *testing.T) {
	values := []int64{3000, 1, 2000, 2000}
	c := NewCurve("a", values)
	want := plotter.XYs{
		{X: 1000, Y: 0}, {X: 1000, Y: 0.25}, // moved to where the scale begins
		{X: 2000, Y: 0.25}, {X: 2000, Y: 0.5}, {X: 2000, Y: 0.5}, {X: 2000, Y: 0.75},
		{X: 3000, Y: 0.75}, {X: 3000, Y: 1},
	}
	if got := c.above(1000); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if c.mean != 1750.25 || c.n != 4 {
		t.Errorf("mean %v of %d", c.mean, c.n)
	}
	if !slices.Equal(values, []int64{3000, 1, 2000, 2000}) {
		t.Error("the values were changed")
	}
}

// samples are shapes that thinning could get wrong.
func samples() map[string][]int64 {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 200_000
	s := map[string][]int64{"log-normal": nil, "two groups": nil, "few values": nil, "heavy tail": nil, "zeros": nil, "one value": nil, "small": nil}
	for i := range n {
		s["log-normal"] = append(s["log-normal"], int64(40e6*math.Exp(2*r.NormFloat64())))
		s["two groups"] = append(s["two groups"], []int64{1e6, 1e10}[i%2]+r.Int64N(1e5))
		s["few values"] = append(s["few values"], []int64{1e6, 3e6, 7e7}[r.IntN(3)])
		s["heavy tail"] = append(s["heavy tail"], int64(1e6*math.Pow(1-r.Float64(), -1.5)))
		s["zeros"] = append(s["zeros"], max(0, r.Int64N(2e9)-1e9))
		s["one value"] = append(s["one value"], 5e6)
	}
	s["heavy tail"][7] = 1e16 // alone, far out
	s["small"] = s["log-normal"][:exactly+1]
	for i := range 520 { // two in each column, so that all are kept
		s["even"] = append(s["even"], int64(1e3*math.Pow(10, float64(i)/52)))
	}
	s["middling"] = s["log-normal"][:900]
	return s
}

func TestThinning(t *testing.T) {
	for name, values := range samples() {
		t.Run(name, func(t *testing.T) {
			points := NewCurve(name, values).points
			sorted := slices.Sorted(slices.Values(values))
			n := len(sorted)
			if len(points) > 1000 {
				t.Errorf("%d points", len(points))
			}
			if last := points[len(points)-1]; points[0] != (plotter.XY{X: float64(sorted[0])}) || last != (plotter.XY{X: float64(sorted[n-1]), Y: 1}) {
				t.Errorf("it goes from %v to %v", points[0], last)
			}
			for i := 1; i < len(points); i++ {
				if points[i].X < points[i-1].X || points[i].Y < points[i-1].Y {
					t.Fatalf("it goes back at %v", points[i])
				}
			}
			// The percentiles are exact, those of the tail to the breadth of the line.
			for pct := 1; pct < 100; pct++ {
				if v := float64(sorted[pct*(n-1)/100]); !slices.ContainsFunc(points, func(p plotter.XY) bool { return p.X == v }) {
					t.Errorf("the %d. percentile, %v, is lost", pct, v)
				}
			}
			first := sort.Search(n, func(i int) bool { return sorted[i] > 0 })
			column := math.Pow(float64(sorted[n-1])/float64(sorted[first]), 1.0/columns)
			for i, v := range sorted {
				share := float64(i+1) / float64(n)
				k := sort.Search(len(points), func(k int) bool { return points[k].Y >= share-1e-12 })
				if x := points[k].X; x < float64(v) || k > 0 && points[k-1].X > float64(v) {
					t.Fatalf("value %d, %v, is not between %v and %v", i, v, points[max(k-1, 0)], points[k])
				} else if k > 0 && x/max(points[k-1].X, float64(sorted[first])) > column*1.0001 {
					t.Fatalf("from %v to %v is no step and longer than a column", points[k-1], points[k])
				}
			}
		})
	}
}
