package tune

// EWMAWeight is the weight of the newest slice in the ALPS artifact.
const EWMAWeight = 0.2

// EWMA predicts the exponentially weighted moving average: the first slice, and
// for each one after it Weight of it and 1 - Weight of the average so far (S. W.
// Roberts, "Control Chart Tests Based on Geometric Moving Averages", 1959). One of
// the artifact's predictors.
type EWMA struct {
	// Weight is over 0 and up to 1; the artifact has [EWMAWeight].
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
