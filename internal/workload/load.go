package workload

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Load says how heavily a workload loads a machine, and how much the
// invocations of one class differ.
type Load struct {
	// UtilisationPct is the CPU demand as a share of what the CPUs have from
	// the first arrival until one mean gap after the last; over 100 the
	// machine falls behind.
	UtilisationPct float64
	// CPUs is how many CPUs the workload has.
	CPUs int
	// Sigma is the coefficient of variation of the demands of one class,
	// which are lognormal about the class's mean.
	Sigma float64
}

// DefaultLoad is the load at which the ALPS paper evaluates, on one CPU, with
// the variation of demands that this project assumes.
var DefaultLoad = Load{UtilisationPct: 90, CPUs: 1, Sigma: 0.15}

// Check says what is wrong with the numbers.
func (l Load) Check() error {
	switch {
	case !(l.UtilisationPct > 0 && l.UtilisationPct <= 1000):
		return fmt.Errorf("utilisation %v%% is not over 0 and up to 1000", l.UtilisationPct)
	case l.CPUs < 1:
		return fmt.Errorf("%d CPUs are too few", l.CPUs)
	case !(l.Sigma >= 0 && l.Sigma <= 10):
		return fmt.Errorf("sigma %v is not from 0 to 10", l.Sigma)
	}
	return nil
}

// Vary returns a demand about the mean.
func (l Load) Vary(rng *rand.Rand, meanNs float64) int64 {
	// With this spread of the logarithm the coefficient of variation is
	// Sigma, and the mean stays what it is.
	variance := math.Log1p(l.Sigma * l.Sigma)
	factor := math.Exp(math.Sqrt(variance)*rng.NormFloat64() - variance/2)
	return max(1, int64(math.Round(meanNs*factor)))
}

// arrive sets the arrivals of the trace: the gap after each request is that
// share of all gaps, scaled by one factor so that the utilisation results.
// Demands are never scaled, for the classes' lengths are the workload.
func (l Load) arrive(trace Trace, gaps []float64) error {
	var sum float64
	for _, gap := range gaps {
		sum += gap
	}
	span := float64(trace.DemandNs()) / (l.UtilisationPct / 100 * float64(l.CPUs))
	if !(sum > 0) {
		return errors.New("all requests arrive at one time, so no utilisation can be reached")
	}
	if !(span < math.MaxInt64/4) {
		return fmt.Errorf("the workload would take %.3g s; take fewer or shorter requests", span/float64(time.Second))
	}
	var before float64
	for i := range trace {
		trace[i].ArrivalNs = int64(math.Round(span * before / sum))
		before += gaps[i]
	}
	return nil
}

// gapsBetween returns the gap after each of at least two arrivals. That after
// the last is the mean one.
func gapsBetween(arrivals []int64) []float64 {
	gaps := make([]float64, len(arrivals))
	last := len(arrivals) - 1
	for i := range last {
		gaps[i] = float64(arrivals[i+1] - arrivals[i])
	}
	gaps[last] = float64(arrivals[last]-arrivals[0]) / float64(last)
	return gaps
}

// gamma returns a gamma-distributed number of mean 1 with the given
// coefficient of variation: nearly constant for a small one, exponential for
// 1, bursty above.
//
// G. Marsaglia, W. W. Tsang: A simple method for generating gamma variables,
// ACM TOMS 26 (2000).
func gamma(rng *rand.Rand, cv float64) float64 {
	shape := 1 / (cv * cv)
	boost := 1.0
	k := shape
	if k < 1 {
		boost = math.Pow(1-rng.Float64(), 1/k)
		k++
	}
	d := k - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-rng.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return boost * d * v / shape
		}
	}
}

// newRand returns the source of all that is random in a workload but its
// sleeps.
func newRand(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x616c7073)) // "alps"
}

// newSleepRand returns that of the sleeps: one of their own, so that nothing
// else of a workload depends on whether it sleeps.
func newSleepRand(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 0x736c656570)) // "sleep"
}
