package tune

import "slices"

// DefaultQuantile is the quantile of alps-tune unless it is told another.
const DefaultQuantile = 0.75

// Quantile predicts a quantile of the slices: linear between the two nearest ranks
// (R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", 1996, type
// 7; the default of R and NumPy). It is not of the paper; a high one covers most
// turns, at the price of longer slices.
type Quantile struct {
	// Q is from 0, the least slice, to 1, the greatest.
	Q float64
}

// Predict implements [Predictor].
func (q Quantile) Predict(slicesNs []int64) float64 {
	sorted := slices.Sorted(slices.Values(slicesNs))
	at := q.Q * float64(len(sorted)-1)
	below := int(at)
	if below >= len(sorted)-1 {
		return float64(sorted[len(sorted)-1])
	}
	low, high := float64(sorted[below]), float64(sorted[below+1])
	return low + float64((at-float64(below))*(high-low))
}
