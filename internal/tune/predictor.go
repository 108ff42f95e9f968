package tune

import (
	"fmt"
	"slices"
	"strings"
)

// Predictor predicts the next SRPT slice of a class from those seen.
type Predictor interface {
	// Predict returns the expected slice in ns, finite and at least 0. The
	// slices are those of all turns of the class in the order of the stream,
	// at least one. Predict does not keep or change them, and is called for
	// several classes at the same time.
	Predict(slicesNs []int64) float64
}

// predictorNames are the names that --predictor takes.
var predictorNames = []string{"mean", "median", "last", "ewma", "linear", "forest", "quantile"}

// PredictorNamed returns the predictor of that name. The quantile, from 0 to 1, is
// that of the predictor of that name, the seed that of a forest.
func PredictorNamed(name string, quantile float64, seed uint64) (Predictor, error) {
	switch name {
	case "mean":
		return Mean{}, nil
	case "median":
		return Median{}, nil
	case "last":
		return Last{}, nil
	case "ewma":
		return EWMA{Weight: EWMAWeight}, nil
	case "linear":
		return Linear{}, nil
	case "forest":
		return Forest{Trees: ForestTrees, Seed: seed}, nil
	case "quantile":
		if !(quantile >= 0 && quantile <= 1) {
			return nil, fmt.Errorf("quantile %g is not from 0 to 1", quantile)
		}
		return Quantile{Q: quantile}, nil
	}
	return nil, fmt.Errorf("there is no predictor %q; there is: %s", name, strings.Join(predictorNames, ", "))
}

// PredictorNames returns the names that [PredictorNamed] takes.
func PredictorNames() []string { return slices.Clone(predictorNames) }
