package gittins

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// eachSmall calls f with every ordered choice of 1 to 4 samples of 1 to 6 ns.
func eachSmall(f func(samplesNs []int64)) {
	var extend func(samplesNs []int64)
	extend = func(samplesNs []int64) {
		if len(samplesNs) > 0 {
			f(samplesNs)
		}
		if len(samplesNs) == 4 {
			return
		}
		for ns := int64(1); ns <= 6; ns++ {
			extend(append(slices.Clip(samplesNs), ns))
		}
	}
	extend(nil)
}

func drawSamples(t *rapid.T, atMost int) []int64 {
	rangeNs := rapid.SampledFrom([]int64{10, 100, 1000}).Draw(t, "range")
	return rapid.SliceOfN(rapid.Int64Range(1, rangeNs), 1, atMost).Draw(t, "samples")
}

func TestRankIsTheDefinitionSmall(t *testing.T) {
	eachSmall(func(samplesNs []int64) {
		d := mustNew(t, samplesNs...)
		for attainedNs := range slices.Max(samplesNs) {
			checkRank(t, d, samplesNs, attainedNs)
		}
	})
}

func TestRankIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samplesNs := drawSamples(t, 60)
		attainedNs := rapid.Int64Range(0, slices.Max(samplesNs)-1).Draw(t, "attained")
		checkRank(t, mustNew(t, samplesNs...), samplesNs, attainedNs)
	})
}

func TestRankOfLongSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samplesNs := drawSamples(t, 60)
		attained := rapid.Int64Range(0, slices.Max(samplesNs)-1).Draw(t, "attained")
		unitNs := math.MaxInt64 / int64(len(samplesNs)) / slices.Max(samplesNs)
		longNs := make([]int64, len(samplesNs))
		for i, ns := range samplesNs {
			longNs[i] = ns * unitNs
		}
		costNs, done := mustNew(t, longNs...).fraction(attained * unitNs)
		if got, want := big.NewRat(costNs/unitNs, done), bruteRank(samplesNs, attained); got.Cmp(want) != 0 {
			t.Fatalf("samples %v, attained %d, in %d ns: rank %v, want %v", samplesNs, attained, unitNs, got, want)
		}
	})
}

// Slopes are compared in more than 64 bits.
func TestNearerIsBest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		near := point{done: 1 + r.Int64N(1<<r.IntN(31)), costNs: r.Int64N(1 << r.IntN(63))}
		far := point{done: near.done + 1 + r.Int64N(1<<r.IntN(31)), costNs: near.costNs + r.Int64N(1<<62)}
		d := &Distribution{points: []point{{}, near, far}}
		want := big.NewRat(near.costNs, near.done).Cmp(big.NewRat(far.costNs, far.done)) <= 0
		if got := d.nearerIsBest(point{}, 1, 2); got != want {
			t.Fatalf("%v before %v: %t", near, far, got)
		}
	}
}

func TestOneSampleIsSRPT(t *testing.T) {
	for _, d := range []*Distribution{mustNew(t, 10), mustNew(t, 10, 10, 10), mustNew(t, 0, 10)} {
		for attainedNs := range int64(10) {
			if got := d.RankNs(attainedNs); got != float64(10-attainedNs) {
				t.Errorf("attained %d of 10: %g", attainedNs, got)
			}
		}
	}
}

func TestOutlived(t *testing.T) {
	d := mustNew(t, 3, 10)
	for _, c := range []struct{ attainedNs, rankNs, nextNs int64 }{
		{9, 1, 10},
		{10, 10, 20},
		{19, 10, 20},
		{20, 20, 40},
		{79, 40, 80},
		{math.MaxInt64, 10 << 59, math.MaxInt64},
	} {
		if got := d.RankNs(c.attainedNs); got != float64(c.rankNs) {
			t.Errorf("attained %d: rank %g, want %d", c.attainedNs, got, c.rankNs)
		}
		if got := d.NextChange(c.attainedNs); got != c.nextNs {
			t.Errorf("attained %d: next change %d, want %d", c.attainedNs, got, c.nextNs)
		}
	}
}

// checkNextChange goes through all attained services up to twice the longest
// sample: up to the next change the rank gets better with each ns, or stays after
// the longest.
func checkNextChange(t rapid.TB, samplesNs []int64) {
	d := mustNew(t, samplesNs...)
	longestNs := slices.Max(samplesNs)
	for attainedNs := range 2 * longestNs {
		nextNs := int64(math.MaxInt64)
		for _, ns := range append(slices.Clip(samplesNs), 2*longestNs) {
			if ns > attainedNs {
				nextNs = min(nextNs, ns)
			}
		}
		if got := d.NextChange(attainedNs); got != nextNs {
			t.Fatalf("samples %v, attained %d: next change %d, want %d", samplesNs, attainedNs, got, nextNs)
		}
		if attainedNs+1 == nextNs {
			continue
		}
		now, next := d.RankNs(attainedNs), d.RankNs(attainedNs+1)
		if next > now || next == now && attainedNs < longestNs {
			t.Fatalf("samples %v: rank %g at %d, %g one ns later", samplesNs, now, attainedNs, next)
		}
	}
}

func TestNextChange(t *testing.T) {
	eachSmall(func(samplesNs []int64) { checkNextChange(t, samplesNs) })
	rapid.Check(t, func(t *rapid.T) { checkNextChange(t, drawSamples(t, 30)) })
}

func TestTangentsAreTheHull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := mustNew(t, drawSamples(t, 60)...)
		// steeper tells whether it is steeper from point a to b than to c.
		steeper := func(a, b, c int) bool {
			from, to, other := d.points[a], d.points[b], d.points[c]
			return (to.costNs-from.costNs)*(other.done-from.done) > (other.costNs-from.costNs)*(to.done-from.done)
		}
		if len(d.tangents) >= 2*len(d.points) {
			t.Fatalf("%d tangents for %d points", len(d.tangents), len(d.points))
		}
		for i := range len(d.points) - 1 {
			stops := d.tangents[d.first[i]:d.first[i+1]]
			if stops[0] != int32(i+1) {
				t.Fatalf("point %d: the first stop is %d", i, stops[0])
			}
			for s, stop := range stops[1:] {
				from, to := int(stops[s]), int(stop)
				for k := from + 1; k < len(d.points); k++ {
					if steeper(from, to, k) {
						t.Fatalf("point %d is below the hull from %d to %d", k, from, to)
					}
				}
			}
			best := int(stops[len(stops)-1])
			for k := i + 1; k < len(d.points); k++ {
				if steeper(i, best, k) {
					t.Fatalf("from point %d, %d is a better stop than %d", i, k, best)
				}
			}
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for _, samplesNs := range [][]int64{nil, {0}, {0, 0}} {
		if _, err := New(samplesNs); !errors.Is(err, ErrNoSamples) {
			t.Errorf("New(%v): %v", samplesNs, err)
		}
	}
	for want, samplesNs := range map[string][]int64{
		"sample -1 ns is below 0": {5, -1},
		"3 samples of up to 3074457345618258603 ns add up to more than 63 bits": {1, 2, math.MaxInt64/3 + 1},
	} {
		if _, err := New(samplesNs); err == nil || err.Error() != want {
			t.Errorf("New(%v): %v, want %s", samplesNs, err, want)
		}
	}
	if d, err := New([]int64{1, 2, math.MaxInt64 / 3}); err != nil || d.LongestNs() != math.MaxInt64/3 {
		t.Error(err)
	}
}

func TestNewKeepsTheSamples(t *testing.T) {
	samplesNs := []int64{3, 1, 2}
	mustNew(t, samplesNs...)
	if !slices.Equal(samplesNs, []int64{3, 1, 2}) {
		t.Error(samplesNs)
	}
}

func TestSpread(t *testing.T) {
	got := Spread([]int64{0, 1, 80, math.MaxInt64})
	want := []int64{
		0, 0, 0, 0, 0,
		1, 1, 1, 1, 2,
		60, 70, 80, 100, 160,
		math.MaxInt64 - math.MaxInt64/4, math.MaxInt64 - math.MaxInt64/8, math.MaxInt64, math.MaxInt64, math.MaxInt64,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d\nwant %d", got, want)
	}
}

func TestThin(t *testing.T) {
	// Of ten, four: those in the middle of each quarter, 0-2.5, 2.5-5 and so on.
	got := Thin([]int64{9, 0, 1, 2, 3, 4, 5, 6, 7, 8}, 4)
	if want := []int64{1, 3, 6, 8}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := Thin([]int64{3, 1, 2}, 3); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("%v", got)
	}
}
