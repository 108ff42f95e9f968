package tune

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"alps/internal/stream"
)

// What it takes for the demands of a class to have changed: all of these.
const (
	// MinDriftDemands is how many invocations of the class there are at least, in
	// the current window and in the windows before it.
	MinDriftDemands = 10
	// MinDriftDistance is the least Kolmogorov-Smirnov distance, the most that the
	// shares of invocations up to some demand differ. Of many invocations, any
	// difference is significant, also one too small to matter.
	MinDriftDistance = 0.2
	// MinDriftRatio is what medians or means differ by at least: where the demands
	// of a class hardly vary, the distance is large however little they move.
	MinDriftRatio = 1.25
	// driftLambda is the least Kolmogorov statistic. By chance, demands that did
	// not change reach it once in 10,000 times.
	driftLambda = 2.23
)

// drift is how the demands of a class have changed.
type drift struct {
	what               string // that differs: "median" or "mean"
	newNs, oldNs       float64
	newCount, oldCount int
}

// findDrift compares the demands of the current window with older ones, and tells
// whether they have changed, as far as can be known.
//
// The test is that of Kolmogorov and Smirnov for two samples, as it takes any change
// of the distribution for one, with the asymptotic distribution and M. A. Stephens'
// correction for small samples (1970; "Numerical Recipes", 14.3).
func findDrift(newNs, oldNs []int64) (d drift, changed bool) {
	if len(newNs) < MinDriftDemands || len(oldNs) < MinDriftDemands {
		return drift{}, false
	}
	d = drift{what: "median", newCount: len(newNs), oldCount: len(oldNs)}
	d.newNs, d.oldNs = (Median{}).Predict(newNs), (Median{}).Predict(oldNs)
	if !differs(d.newNs, d.oldNs) {
		d.what, d.newNs, d.oldNs = "mean", mean(newNs), mean(oldNs)
	}
	if !differs(d.newNs, d.oldNs) {
		return drift{}, false
	}
	distance := stat.KolmogorovSmirnov(sortedFloats(newNs), nil, sortedFloats(oldNs), nil)
	if distance < MinDriftDistance || kolmogorovLambda(distance, len(newNs), len(oldNs)) < driftLambda {
		return drift{}, false
	}
	return d, true
}

func differs(a, b float64) bool { return max(a, b) >= MinDriftRatio*min(a, b) && a != b }

func sortedFloats(values []int64) []float64 {
	floats := make([]float64, len(values))
	for i, v := range values {
		floats[i] = float64(v)
	}
	slices.Sort(floats)
	return floats
}

// kolmogorovLambda is the distance of samples of n and m, scaled to what the
// Kolmogorov distribution is of.
func kolmogorovLambda(distance float64, n, m int) float64 {
	root := math.Sqrt(float64(n) * float64(m) / float64(n+m))
	return (root + 0.12 + 0.11/root) * distance
}

// dropDrifted drops the history of each class whose demands in the newest window
// differ from those before, and its last slice. It tells whether there was any.
func (t *Tuner) dropDrifted(window stream.Integer, classes []*pool) bool {
	drifted := make(map[string]bool)
	for _, class := range classes {
		older := len(class.demandsNs) - class.newest
		d, changed := findDrift(class.demandsNs[older:], class.demandsNs[:older])
		if !changed {
			continue
		}
		drifted[class.class] = true
		delete(t.lastNs, class.class)
		if t.options.Warn != nil {
			fmt.Fprintf(t.options.Warn, "window %d: class %q has changed: %s\n", window, class.class, d)
		}
	}
	if len(drifted) == 0 {
		return false
	}
	for _, o := range t.history[:len(t.history)-1] {
		o.drop(drifted)
	}
	return true
}

// String is what a message says of the change.
func (d drift) String() string {
	return fmt.Sprintf("%s demand %v, %v before (%d invocations, %d before); its history is dropped",
		d.what, shortDuration(d.newNs), shortDuration(d.oldNs), d.newCount, d.oldCount)
}

// shortDuration has three digits.
func shortDuration(ns float64) time.Duration {
	d := time.Duration(roundNs(ns))
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// drop forgets the times of some classes. Their keys stay: containers outlive versions.
func (o *observed) drop(classes map[string]bool) {
	dropped := make([]bool, len(o.classes))
	for i, class := range o.classes {
		dropped[i] = classes[class]
	}
	is := func(s sample) bool { return dropped[s.class] }
	o.slices = slices.DeleteFunc(o.slices, is)
	o.waits = slices.DeleteFunc(o.waits, is)
	o.keepDemands(func(i int) bool { return !is(o.demands[i]) })
	o.saved.drop(classes)
}
