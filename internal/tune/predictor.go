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
	// at least one. Predict does not keep or change them.
	Predict(slicesNs []int64) float64
}

// predictors has all predictors by the name that --predictor takes.
var predictors = map[string]Predictor{
	"mean": Mean{},
}

// PredictorNamed returns the predictor of that name.
func PredictorNamed(name string) (Predictor, error) {
	if p, ok := predictors[name]; ok {
		return p, nil
	}
	var names []string
	for known := range predictors {
		names = append(names, known)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("there is no predictor %q; there is: %s", name, strings.Join(names, ", "))
}
