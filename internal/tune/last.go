package tune

// Last predicts that the next slice is as the last one: the naive forecast, with
// which every other one is to be compared.
type Last struct{}

// Predict implements [Predictor].
func (Last) Predict(slicesNs []int64) float64 { return float64(slicesNs[len(slicesNs)-1]) }
