package tune

// Median predicts the median of the slices: that of an even number is the mean of
// the two in the middle. It is not of the paper; a few very long slices among many
// do not move it.
type Median struct{}

// Predict implements [Predictor].
func (Median) Predict(slicesNs []int64) float64 { return Quantile{0.5}.Predict(slicesNs) }
