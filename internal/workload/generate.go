package workload

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// The coefficients of variation of the gaps between arrivals in published
// workloads.
const (
	// SteadyCV is that of the traces of ALPS's artifact.
	SteadyCV = 0.23
	// PoissonCV makes arrivals that know nothing of each other.
	PoissonCV = 1
	// BurstyCV is that of the trace of SFS's artifact.
	BurstyCV = 2.33
)

// Azure's execution times are lognormal, with these parameters of the
// logarithm of seconds (Shahrad et al., Serverless in the Wild, ATC'20).
const (
	azureMu    = -0.38
	azureSigma = 2.36
)

// Synthetic says which workload [Generate] makes.
type Synthetic struct {
	// Classes is how many classes there are. Their mean demands are quantiles
	// of Azure's lognormal distribution between MinDemand and MaxDemand: one
	// at a random place in each of as many equally likely parts. So every
	// seed has short and long classes in the same proportion, which plain
	// draws of a dozen would not.
	Classes              int
	MinDemand, MaxDemand time.Duration
	// Invocations is how many there are in all. Each class has at least one.
	Invocations int
	// Zipf is the exponent of the classes' popularity: the k-th shortest
	// class is invoked in proportion to k^-Zipf. 0 makes all equal. What is
	// invoked often is short in Azure's and Huawei's data as well.
	Zipf float64
	// Weights, if not empty, are the popularities instead, the shortest
	// class first.
	Weights []float64
	// GapCV is the coefficient of variation of the gaps between arrivals.
	GapCV float64
	// SleepShare, from 0 to 1, is the share of the classes that do I/O: at
	// least one class if over 0. They lie evenly over the range of demands;
	// the seed says which they are.
	SleepShare float64
	// Sleeps is how often each invocation of such a class sleeps, always for
	// the same time.
	Sleeps int
	// SleepPct is how long it sleeps in all, in % of its class's mean CPU
	// demand: 100 makes I/O take as long as computing. It varies about that
	// by Load.Sigma, whatever the invocation's CPU demand is. Sleeping is no
	// part of the utilisation.
	SleepPct float64
	Load     Load
	// Seed makes another workload of the same kind. With the same seed,
	// workloads with and without sleeps have the same arrivals and demands.
	Seed uint64
}

// DefaultSynthetic takes about a minute and a half on one CPU. The bounds of the
// demands leave out Azure's longest third, of which a single invocation could
// outlast the rest of such a run, and its shortest 2 %, which are no longer
// than what it costs to start a process.
var DefaultSynthetic = Synthetic{
	Classes:     12,
	MinDemand:   5 * time.Millisecond,
	MaxDemand:   2 * time.Second,
	Invocations: 400,
	Zipf:        1,
	GapCV:       PoissonCV,
	Sleeps:      1,
	SleepPct:    100,
	Load:        DefaultLoad,
	Seed:        1,
}

// maxInvocations is the runner's MAX_INVOCATIONS.
const maxInvocations = 10_000_000

// maxSleeps is the runner's MAX_SLEEPS.
const maxSleeps = 1_000_000

// MaxDemandNs is the runner's MAX_DEMAND_S: the most CPU time that an
// invocation may take, and the longest that it may sleep in all.
const MaxDemandNs = 24 * int64(time.Hour)

// maxClasses is the runner's MAX_CLASSES.
const maxClasses = 4096

func (s Synthetic) check() error {
	switch {
	case s.Classes < 1 || s.Classes > maxClasses:
		return fmt.Errorf("%d classes are not from 1 to %d", s.Classes, maxClasses)
	case s.Invocations < s.Classes || s.Invocations > maxInvocations:
		return fmt.Errorf("%d invocations are not from one a class, %d, to %d", s.Invocations, s.Classes, maxInvocations)
	case s.MinDemand <= 0 || s.MaxDemand < s.MinDemand || s.MaxDemand > 24*time.Hour:
		return fmt.Errorf("demands from %v to %v are not a range over 0 and up to 24h", s.MinDemand, s.MaxDemand)
	case !(s.GapCV >= 0 && s.GapCV <= 10):
		return fmt.Errorf("a coefficient of variation of %v is not from 0 to 10", s.GapCV)
	case !(s.Zipf >= 0 && s.Zipf <= 10):
		return fmt.Errorf("a Zipf exponent of %v is not from 0 to 10", s.Zipf)
	case len(s.Weights) > 0 && len(s.Weights) != s.Classes:
		return fmt.Errorf("%d weights do not fit %d classes", len(s.Weights), s.Classes)
	}
	if err := s.checkSleeps(); err != nil {
		return err
	}
	var sum float64
	for _, w := range s.Weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("a weight of %v is not a number of at least 0", w)
		}
		sum += w
	}
	if len(s.Weights) > 0 && sum == 0 {
		return errors.New("all weights are 0")
	}
	return s.Load.Check()
}

func (s Synthetic) checkSleeps() error {
	switch {
	case !(s.SleepShare >= 0 && s.SleepShare <= 1):
		return fmt.Errorf("a share of %v of the classes that sleep is not from 0 to 1", s.SleepShare)
	case s.SleepShare == 0:
		return nil
	case s.Sleeps < 1 || s.Sleeps > maxSleeps:
		return fmt.Errorf("%d sleeps are not from 1 to %d", s.Sleeps, maxSleeps)
	case !(s.SleepPct > 0 && s.SleepPct/100*float64(s.MaxDemand) <= float64(24*time.Hour)):
		return fmt.Errorf("sleeping for %v%% of up to %v is not over 0 and up to 24h", s.SleepPct, s.MaxDemand)
	}
	return nil
}

// Generate makes a workload. The same values give the same workload.
//
// Classes are called c01, c02, … by mean demand, the shortest first.
func Generate(s Synthetic) (Trace, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("generating a workload: %w", err)
	}
	rng := newRand(s.Seed)
	means := s.meansNs(rng)
	sleepRng := newSleepRand(s.Seed)
	sleeping := s.sleepingClasses(sleepRng)
	trace := make(Trace, 0, s.Invocations)
	for class, count := range apportion(s.Invocations, s.popularities()) {
		name := fmt.Sprintf("c%0*d", max(2, len(fmt.Sprint(s.Classes))), class+1)
		for range count {
			request := Request{Class: name, CPUNs: s.Load.Vary(rng, means[class])}
			if sleeping[class] {
				sleptNs := s.Load.Vary(sleepRng, means[class]*s.SleepPct/100)
				request.Sleeps = int64(s.Sleeps)
				request.SleepNs = max(1, (sleptNs+request.Sleeps/2)/request.Sleeps)
			}
			trace = append(trace, request)
		}
	}
	rng.Shuffle(len(trace), func(i, j int) { trace[i], trace[j] = trace[j], trace[i] })
	gaps := make([]float64, len(trace))
	for i := range gaps {
		gaps[i] = 1
		if s.GapCV > 0 {
			gaps[i] = gamma(rng, s.GapCV)
		}
	}
	if err := s.Load.arrive(trace, gaps); err != nil {
		return nil, fmt.Errorf("generating a workload: %w", err)
	}
	return trace, nil
}

// meansNs returns the classes' mean demands, the shortest first.
func (s Synthetic) meansNs(rng *rand.Rand) []float64 {
	z := func(d time.Duration) float64 { return (math.Log(d.Seconds()) - azureMu) / azureSigma }
	low, high := normalCDF(z(s.MinDemand)), normalCDF(z(s.MaxDemand))
	means := make([]float64, s.Classes)
	for i := range means {
		share := (float64(i) + rng.Float64()) / float64(s.Classes)
		quantile := normalQuantile(low + (high-low)*share)
		seconds := math.Exp(azureMu + azureSigma*quantile)
		means[i] = min(max(seconds, s.MinDemand.Seconds()), s.MaxDemand.Seconds()) * float64(time.Second)
	}
	return means
}

// sleepingClasses tells which classes sleep: from the first on, which is
// random, at equal distances.
func (s Synthetic) sleepingClasses(rng *rand.Rand) []bool {
	sleeping := make([]bool, s.Classes)
	if s.SleepShare == 0 {
		return sleeping
	}
	n := max(1, int(math.Round(s.SleepShare*float64(s.Classes))))
	offset := rng.IntN(s.Classes)
	for i := range n {
		sleeping[(i*s.Classes+offset)/n] = true
	}
	return sleeping
}

func normalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

func normalQuantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// popularities returns a weight for each class, the shortest first.
func (s Synthetic) popularities() []float64 {
	if len(s.Weights) > 0 {
		return s.Weights
	}
	weights := make([]float64, s.Classes)
	for i := range weights {
		weights[i] = math.Pow(float64(i+1), -s.Zipf)
	}
	return weights
}

// apportion shares n among the weights, at least one to each and the rest in
// proportion by largest remainder. Drawing the classes at random instead would
// let the few long invocations, and with them all figures, vary with the seed.
func apportion(n int, weights []float64) []int {
	counts := make([]int, len(weights))
	var sum float64
	for _, w := range weights {
		sum += w
	}
	rest := n - len(weights)
	byRemainder := make([]int, len(weights))
	remainders := make([]float64, len(weights))
	left := rest
	for i, w := range weights {
		share := float64(rest) * (w / sum)
		counts[i] = 1 + int(share)
		left -= int(share)
		remainders[i] = share - math.Floor(share)
		byRemainder[i] = i
	}
	slices.SortStableFunc(byRemainder, func(a, b int) int {
		switch {
		case remainders[a] > remainders[b]:
			return -1
		case remainders[a] < remainders[b]:
			return 1
		}
		return 0
	})
	for i := range left {
		counts[byRemainder[i%len(byRemainder)]]++
	}
	return counts
}
