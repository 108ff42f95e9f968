package tune

// Linear predicts the next value of the least-squares line through the sequence
// of slices, but not less than 0. One slice, or several equal ones, predict
// themselves. One of the artifact's predictors (scikit-learn's LinearRegression of
// the slices over their places, asked for the next place).
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
