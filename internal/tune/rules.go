package tune

import (
	"fmt"
	"time"
)

// Params are the factors of the paper's rules.
type Params struct {
	// Alpha multiplies the predicted slice, Beta the standard deviation that
	// is taken off it. From 0 to [MaxFactor].
	Alpha, Beta float64
	// Theta is the utilisation in percent from which on slices are cut.
	Theta float64
	// Gamma divides what is left of them: the smaller it is, the less they
	// are cut. More than 0, at most [MaxFactor].
	Gamma float64
	// Inertia is the part, from 0 to 1, that a class's last slice has in the
	// new one.
	Inertia float64
	// MaxSliceNs is the longest slice that any class gets. More than 0, at
	// most [MaxSliceNs].
	MaxSliceNs int64
	// NoMisprediction and NoOverload leave out a rule, as the paper does to
	// show what each is good for: the slice is then the predicted one without
	// Alpha and Beta, and is not cut for any utilisation.
	NoMisprediction, NoOverload bool
}

// MaxSliceNs is the longest slice that a policy may guarantee: alps-load
// refuses longer ones, with which a task could hold its CPU against everybody.
const MaxSliceNs = 1_000_000_000

// DefaultParams are those of the paper, which has no longest slice.
var DefaultParams = Params{Alpha: 1, Beta: 1, Theta: 50, Gamma: 1, Inertia: 0.3, MaxSliceNs: MaxSliceNs}

// MaxFactor bounds Alpha, Beta and Gamma.
const MaxFactor = 1000

// inertiaAboveNs is the last slice above which inertia holds.
const inertiaAboveNs = 1_000_000

// Check tells which parameter is out of its range.
func (p Params) Check() error {
	for _, c := range []struct {
		name               string
		value, least, most float64
	}{
		{"alpha", p.Alpha, 0, MaxFactor},
		{"beta", p.Beta, 0, MaxFactor},
		{"theta", p.Theta, 0, 100},
		{"gamma", p.Gamma, 0, MaxFactor},
		{"inertia", p.Inertia, 0, 1},
	} {
		if !(c.value >= c.least && c.value <= c.most) { // also for NaN
			return fmt.Errorf("%s %g is not from %g to %g", c.name, c.value, c.least, c.most)
		}
	}
	if p.Gamma == 0 {
		return fmt.Errorf("gamma 0 is not more than 0; it divides")
	}
	if p.MaxSliceNs <= 0 || p.MaxSliceNs > MaxSliceNs {
		return fmt.Errorf("max-slice %v is not from 1ns to %v", time.Duration(p.MaxSliceNs), time.Duration(MaxSliceNs))
	}
	return nil
}

// penalty is the factor of the overload rule, from 0 to 1: 1 below Theta (or
// without the rule), and from there on (100 + Theta - utilisation) / (100 Gamma).
//
// That quotient is above 1 where Gamma is small or the utilisation hardly
// above Theta. The paper takes min(p ts, ts) of it, which comes to the same as
// p being 1 at most.
func (p Params) penalty(utilPct float64) float64 {
	if p.NoOverload || utilPct < p.Theta {
		return 1
	}
	return min((100+p.Theta-utilPct)/(100*p.Gamma), 1)
}

// sliceNs applies the rules to a predicted slice. The last slice is 0 where
// there is none.
func (p Params) sliceNs(predictedNs, stdevNs, penalty float64, lastNs int64) float64 {
	trusted := predictedNs
	if !p.NoMisprediction {
		trusted = max(float64(p.Alpha*predictedNs)-float64(p.Beta*stdevNs), 0)
	}
	slice := penalty * trusted
	if lastNs > inertiaAboveNs {
		slice = float64((1-p.Inertia)*slice) + float64(p.Inertia*float64(lastNs))
	}
	return min(slice, float64(p.MaxSliceNs))
}
