package tune

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

// TestPredictors works out each value by hand.
func TestPredictors(t *testing.T) {
	series := []int64{10, 20, 60, 30} // sorted 10 20 30 60
	tests := []struct {
		name   string
		p      Predictor
		slices []int64
		want   float64
	}{
		// 10+20+60+30 = 120, of four.
		{"mean", Mean{}, series, 30},
		// Of the two in the middle, 20 and 30.
		{"median of four", Median{}, series, 25},
		// 10 20 60.
		{"median of three", Median{}, series[:3], 20},
		{"last", Last{}, series, 30},
		// 10; 0.2*20+0.8*10 = 12; 0.2*60+0.8*12 = 21.6; 0.2*30+0.8*21.6 = 23.28.
		{"ewma", EWMA{0.2}, series, 23.28},
		{"ewma of all weight is the last", EWMA{1}, series, 30},
		// Places -1.5 -0.5 0.5 1.5 about their mean, values -20 -10 30 0 about 30:
		// covariance 30+5+15+0 = 50, squares 2.25+0.25+0.25+2.25 = 5, slope 10; the
		// next place is 2.5 from the mean: 30+25.
		{"linear", Linear{}, series, 55},
		// The line through both: 100, 10, -80.
		{"linear, falling below 0", Linear{}, []int64{100, 10}, 0},
		// Rank 0.25*3 = 0.75: between 10 and 20.
		{"quantile 0.25", Quantile{0.25}, series, 17.5},
		// Rank 0.75*3 = 2.25: between 30 and 60.
		{"quantile 0.75", Quantile{0.75}, series, 37.5},
		{"quantile 0", Quantile{0}, series, 10},
		{"quantile 1", Quantile{1}, series, 60},
	}
	for _, test := range tests {
		if got := test.p.Predict(test.slices); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", test.name, got, test.want)
		}
	}
}

// TestEWMAPublished: the example of the NIST/SEMATECH e-Handbook of Statistical
// Methods, section 6.3.2.4: weight 0.3, a start of 50, 20 measurements and the
// averages, which it gives to two decimals.
func TestEWMAPublished(t *testing.T) {
	tenths := []int64{500, 520, 470, 530, 493, 501, 470, 510, 501, 512, 505, 496, 476, 499, 513, 478, 512, 526, 524, 536, 521}
	averages := []float64{
		50.00, 50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33, 50.11, 49.36, 49.52, 50.05, 49.38,
		49.92, 50.73, 51.23, 51.94, 51.99,
	}
	for i, want := range averages {
		if got := (EWMA{0.3}).Predict(tenths[:i+1]) / 10; math.Abs(got-want) > 0.00501 {
			t.Errorf("after %d: %.4f, want %.2f", i, got, want)
		}
	}
}

// TestLinearPublished: the first set of F. J. Anscombe, "Graphs in Statistical
// Analysis" (1973), whose x are 4, 5, …, 14 and whose line is y = 3 + 0.5 x: 10.5 at
// 15.
func TestLinearPublished(t *testing.T) {
	hundredths := []int64{426, 568, 724, 482, 695, 881, 804, 833, 1084, 758, 996}
	if got := (Linear{}).Predict(hundredths) / 100; math.Abs(got-10.5) > 0.005 {
		t.Errorf("%g, want 10.5", got)
	}
}

// TestQuantilePublished: quantile(1:10) as the documentation of R has it.
func TestQuantilePublished(t *testing.T) {
	oneToTen := []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for q, want := range map[float64]float64{0: 1, 0.25: 3.25, 0.5: 5.5, 0.75: 7.75, 1: 10} {
		if got := (Quantile{q}).Predict(oneToTen); got != want {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
}

// TestPredictorsAgainstGonum: the same by other code. Not in the tool itself, as
// gonum adds up in another order on processors that it has assembly for.
func TestPredictorsAgainstGonum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slicesNs := rapid.SliceOfN(rapid.Int64Range(0, 1_000_000_000), 2, 50).Draw(t, "slices")
		ns, places := make([]float64, len(slicesNs)), make([]float64, len(slicesNs))
		for i := range slicesNs {
			ns[i], places[i] = float64(slicesNs[i]), float64(i)
		}
		intercept, slope := stat.LinearRegression(places, ns, nil, false)
		for _, c := range []struct {
			name      string
			got, want float64
		}{
			{"mean", Mean{}.Predict(slicesNs), stat.Mean(ns, nil)},
			{"stdev", stdev(slicesNs), stat.PopStdDev(ns, nil)},
			{"linear", Linear{}.Predict(slicesNs), max(intercept+slope*float64(len(ns)), 0)},
		} {
			if math.Abs(c.got-c.want) > 1e-3 {
				t.Errorf("%s of %v is %g, want %g", c.name, slicesNs, c.got, c.want)
			}
		}
	})
}

// TestPredictorsProperties: one slice, or equal ones, predict themselves, whatever
// predicts; predictions are finite, not negative, and, but for linear, within the
// slices; the slices stay as they are.
func TestPredictorsProperties(t *testing.T) {
	for _, name := range predictorNames {
		p, err := PredictorNamed(name, DefaultQuantile, 1)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			ns := rapid.Int64Range(0, 1<<50).Draw(t, "ns")
			equal := make([]int64, rapid.IntRange(1, 20).Draw(t, "n"))
			for i := range equal {
				equal[i] = ns
			}
			if got := p.Predict(equal); math.Abs(got-float64(ns)) > 1e-9*float64(ns) {
				t.Errorf("%s of %d times %d is %g", name, len(equal), ns, got)
			}
			slicesNs := rapid.SliceOfN(rapid.Int64Range(0, math.MaxInt64), 1, 30).Draw(t, "slices")
			before := slices.Clone(slicesNs)
			got := p.Predict(slicesNs)
			least, most := math.Inf(1), 0.0
			for i := range slicesNs {
				if slicesNs[i] != before[i] {
					t.Errorf("%s changed the slices", name)
				}
				least, most = min(least, float64(slicesNs[i])), max(most, float64(slicesNs[i]))
			}
			if math.IsNaN(got) || math.IsInf(got, 0) || got < 0 {
				t.Errorf("%s of %v is %g", name, slicesNs, got)
			}
			if name != "linear" && (got < least*(1-1e-12) || got > most*(1+1e-12)) {
				t.Errorf("%s of %v is %g", name, slicesNs, got)
			}
		})
	}
}
