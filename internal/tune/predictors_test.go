package tune

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestPredictors(t *testing.T) {
	series := []int64{10, 20, 60, 30} // sorted 10 20 30 60
	tests := []struct {
		name   string
		p      Predictor
		slices []int64
		want   float64
	}{
		{"mean", Mean{}, series, 30},
		{"median of four", Median{}, series, 25},
		{"median of three", Median{}, series[:3], 20},
		{"last", Last{}, series, 30},
		// 10; 0.2*20+0.8*10 = 12; 0.2*60+0.8*12 = 21.6; 0.2*30+0.8*21.6 = 23.28.
		{"ewma", EWMA{0.2}, series, 23.28},
		{"ewma of all weight is the last", EWMA{1}, series, 30},
		// Places -1.5 -0.5 0.5 1.5 about their mean, values -20 -10 30 0 about 30:
		// covariance 30+5+15+0 = 50, squares 5, slope 10; 4 is 2.5 from the mean.
		{"linear", Linear{}, series, 55},
		{"linear, falling below 0", Linear{}, []int64{100, 10}, 0},
		// Rank 0.25*3 = 0.75: between 10 and 20.
		{"quantile", Quantile{0.25}, series, 17.5},
		{"quantile 0", Quantile{0}, series, 10},
		{"quantile 1", Quantile{1}, series, 60},
	}
	for _, test := range tests {
		if got := test.p.Predict(test.slices); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%s: %g, want %g", test.name, got, test.want)
		}
	}
}

// TestPredictorsProperties: one slice, or equal ones, predict themselves, whatever
// predicts; predictions are finite, not negative, and, but for linear, within the
// slices; the slices stay as they are.
func TestPredictorsProperties(t *testing.T) {
	for _, name := range predictorNames {
		p, err := PredictorNamed(name, DefaultQuantile)
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
			slices := rapid.SliceOfN(rapid.Int64Range(0, math.MaxInt64), 1, 30).Draw(t, "slices")
			before := append([]int64(nil), slices...)
			got := p.Predict(slices)
			least, most := math.Inf(1), 0.0
			for i := range slices {
				if slices[i] != before[i] {
					t.Errorf("%s changed the slices", name)
				}
				least, most = min(least, float64(slices[i])), max(most, float64(slices[i]))
			}
			if math.IsNaN(got) || math.IsInf(got, 0) || got < 0 {
				t.Errorf("%s of %v is %g", name, slices, got)
			}
			if name != "linear" && (got < least*(1-1e-12) || got > most*(1+1e-12)) {
				t.Errorf("%s of %v is %g", name, slices, got)
			}
		})
	}
}
