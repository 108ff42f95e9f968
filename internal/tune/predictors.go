package tune

import "slices"

// Median predicts the median of the slices: that of an even number is the mean of
// the two in the middle.
type Median struct{}

// Predict implements [Predictor].
func (Median) Predict(slicesNs []int64) float64 { return Quantile{0.5}.Predict(slicesNs) }

// Last predicts that the next slice is as the last one.
type Last struct{}

// Predict implements [Predictor].
func (Last) Predict(slicesNs []int64) float64 { return float64(slicesNs[len(slicesNs)-1]) }

// EWMA predicts the exponentially weighted moving average: the first slice, and
// for each one after it Weight of it and 1 - Weight of the average so far.
type EWMA struct {
	// Weight is over 0 and up to 1; the ALPS artifact has 0.2.
	Weight float64
}

// Predict implements [Predictor].
func (e EWMA) Predict(slicesNs []int64) float64 {
	average := float64(slicesNs[0])
	for _, ns := range slicesNs[1:] {
		average = float64(e.Weight*float64(ns)) + float64((1-e.Weight)*average)
	}
	return average
}

// Linear predicts the next value of the least-squares line through the sequence
// of slices, but not less than 0. One slice, or several equal ones, predict
// themselves.
type Linear struct{}

// Predict implements [Predictor].
func (Linear) Predict(slicesNs []int64) float64 {
	// The places are 0, 1, …, n-1, their mean is (n-1)/2, and the next is n.
	var (
		n           = float64(len(slicesNs))
		meanNs      = mean(slicesNs)
		middle      = (n - 1) / 2
		covariance  float64
		placeSquare float64
	)
	for i, ns := range slicesNs {
		d := float64(i) - middle
		covariance += float64(d * (float64(ns) - meanNs))
		placeSquare += float64(d * d)
	}
	if placeSquare == 0 {
		return meanNs
	}
	return max(meanNs+float64(covariance/placeSquare*(n-middle)), 0)
}

// Quantile predicts a quantile of the slices: linear between the two nearest ranks
// (Hyndman and Fan's type 7, the default of R and NumPy).
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
