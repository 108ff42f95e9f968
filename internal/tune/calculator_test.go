package tune

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"alps/internal/stream"
)

// calculate is slice_ns from the columns of a row, the flags and the utilisation, as
// docs/alps-tune.md has it; limitNs is the shortest slice of better ranks, with
// --monotone.
func calculate(row *stream.Policy, o *Options, utilPct, limitNs float64) (sliceNs, penalty float64) {
	p := o.Params
	ts, stdev, last := float64(row.PredictedNs), float64(row.StdevNs), float64(row.LastNs)
	tsu := p.Alpha*ts - p.Beta*stdev
	if tsu < 0 {
		tsu = 0
	}
	if p.NoMisprediction {
		tsu = ts
	}
	penalty = 1
	if !p.NoOverload && utilPct >= p.Theta {
		penalty = (100 + p.Theta - utilPct) / (100 * p.Gamma)
		if penalty > 1 {
			penalty = 1
		}
	}
	slice := penalty * tsu
	if last > 1e6 {
		slice = (1-p.Inertia)*slice + p.Inertia*last
	}
	return min(slice, float64(p.MaxSliceNs), limitNs), penalty
}

// TestCalculator: of every row, whatever the flags, slice_ns and penalty can be
// worked out from its other columns. These are rounded to nanoseconds, and so off by
// half of one each.
func TestCalculator(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		factor := rapid.SampledFrom([]float64{0, 0.5, 1, 1.3, 4})
		predictor, err := PredictorNamed(rapid.SampledFrom(predictorNames).Draw(t, "predictor"), DefaultQuantile, 1)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{
			Predictor: predictor,
			Params: Params{
				Alpha: factor.Draw(t, "alpha"), Beta: factor.Draw(t, "beta"),
				Theta:      rapid.SampledFrom([]float64{0, 50, 72.5, 100}).Draw(t, "theta"),
				Gamma:      rapid.SampledFrom([]float64{0.3, 0.7, 1, 3}).Draw(t, "gamma"),
				Inertia:    rapid.SampledFrom([]float64{0, 0.3, 1}).Draw(t, "inertia"),
				MaxSliceNs: rapid.SampledFrom([]int64{2 * ms, 30*ms + 7, MaxSliceNs}).Draw(t, "max-slice"),

				NoMisprediction: rapid.Bool().Draw(t, "no-misprediction"),
				NoOverload:      rapid.Bool().Draw(t, "no-overload"),
			},
			RankBy:   rapid.SampledFrom([]RankBy{RankByGittins, RankByDemand, RankByWait, RankBySlice}).Draw(t, "rank-by"),
			History:  rapid.IntRange(1, 3).Draw(t, "history"),
			Monotone: rapid.Bool().Draw(t, "monotone"),
			Unknown:  rapid.Bool().Draw(t, "unknown"),
		}
		o.Drift = o.History > 1 && rapid.Bool().Draw(t, "drift")
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		tuner := New(o)
		lastNs := make(map[stream.Name]stream.Nanos)
		for id := range stream.Integer(3) {
			var turns []turn
			for i := range rapid.IntRange(1, 40).Draw(t, "turns") {
				class := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "class")
				turns = append(turns, turn{
					class, fmt.Sprint(id, i/3, class), rapid.Float64Range(0, 60).Draw(t, "slice"), float64(i / 3 % 5),
				})
			}
			utilPct := rapid.SampledFrom([]stream.Percent{0, 50, 73.25, 100}).Draw(t, "util")
			rows, err := tuner.Policy(windowOf(id, utilPct, turns...))
			if err != nil {
				t.Fatal(err)
			}
			ranks := make(map[stream.Name]stream.Count) // of the first rows
			for _, row := range rows {
				if _, again := ranks[row.Class]; !again {
					ranks[row.Class] = row.Rank
				}
			}
			for i := range rows {
				row, limitNs := &rows[i], math.Inf(1)
				for _, other := range rows {
					if o.Monotone && other.Class != "*" && other.SliceNs > 0 && ranks[other.Class] < ranks[row.Class] {
						limitNs = min(limitNs, float64(other.SliceNs))
					}
				}
				want, penalty := calculate(row, &o, float64(utilPct), limitNs)
				if float64(row.Penalty) != penalty {
					t.Fatalf("penalty of %+v, want %g", row, penalty)
				}
				if off := math.Abs(float64(row.SliceNs) - want); off > (o.Params.Alpha+o.Params.Beta)/2+1 {
					t.Fatalf("slice of %+v, want %g", row, want)
				}
				if row.LastNs != lastNs[row.Class] && !(o.Drift && row.LastNs == 0) {
					t.Fatalf("last_ns of %+v, want %d", row, lastNs[row.Class])
				}
			}
			clear(lastNs)
			for _, row := range rows {
				lastNs[row.Class] = row.SliceNs
			}
		}
	})
}
