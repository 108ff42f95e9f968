package tune

// Mean predicts the arithmetic mean of the slices: the predictor of the ALPS
// paper and the first of its artifact.
type Mean struct{}

// Predict implements [Predictor].
func (Mean) Predict(slicesNs []int64) float64 { return mean(slicesNs) }
