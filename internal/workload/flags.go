package workload

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The structs in this file are the flags of the commands that make workloads,
// for more than one tool has such commands. Their tags are kong's.

// LoadFlags are the flags that make a [Load].
type LoadFlags struct {
	Utilisation float64 `help:"CPU demand, in % of what the CPUs have; the gaps are scaled to it." default:"90" placeholder:"PCT"`
	CPUs        int     `name:"cpus" help:"CPUs that the workload has." default:"1"`
	Sigma       float64 `help:"Coefficient of variation of the demands of one class." default:"0.15"`
	Seed        uint64  `help:"Another seed makes another workload of the same kind." default:"1"`
}

// Load returns what the flags say, save for the seed.
func (f LoadFlags) Load() Load {
	return Load{UtilisationPct: f.Utilisation, CPUs: f.CPUs, Sigma: f.Sigma}
}

// GenerateFlags are the flags that make a [Synthetic]. Their defaults are
// those of [DefaultSynthetic].
type GenerateFlags struct {
	Classes     int           `help:"How many classes." default:"12"`
	Invocations int           `help:"How many invocations in all." default:"400"`
	MinDemand   time.Duration `help:"Lower bound of the classes' mean CPU demands." default:"5ms"`
	MaxDemand   time.Duration `help:"Upper bound of the classes' mean CPU demands." default:"2s"`
	Zipf        float64       `help:"The k-th shortest class is invoked in proportion to k^-ZIPF." default:"1"`
	Weights     []float64     `help:"Popularities instead of --zipf, the shortest class first."`
	Arrivals    string        `help:"Gaps between arrivals: steady (CV 0.23), poisson (1) or bursty (2.33)." enum:"steady,poisson,bursty" default:"poisson"`
	CV          *float64      `name:"cv" help:"Coefficient of variation of the gaps, instead of that of --arrivals."`
	SleepShare  float64       `help:"Share of the classes, from 0 to 1, whose invocations sleep, as for I/O." default:"0"`
	Sleeps      *int          `help:"How often each of these sleeps (default: 1)." placeholder:"N"`
	SleepPct    *float64      `help:"How long it sleeps in all, in % of its class's mean CPU demand (default: 100)." placeholder:"PCT"`
	LoadFlags   `embed:""`
}

// Synthetic returns what the flags say, or an error if they contradict each
// other. What they say each is checked by [Generate].
func (f GenerateFlags) Synthetic() (Synthetic, error) {
	s := Synthetic{
		Classes: f.Classes, Invocations: f.Invocations,
		MinDemand: f.MinDemand, MaxDemand: f.MaxDemand,
		Zipf: f.Zipf, Weights: f.Weights,
		SleepShare: f.SleepShare, Sleeps: DefaultSynthetic.Sleeps, SleepPct: DefaultSynthetic.SleepPct,
		Load: f.Load(), Seed: f.Seed,
	}
	switch {
	case f.CV != nil:
		s.GapCV = *f.CV
	case f.Arrivals == "steady":
		s.GapCV = SteadyCV
	case f.Arrivals == "poisson":
		s.GapCV = PoissonCV
	case f.Arrivals == "bursty":
		s.GapCV = BurstyCV
	default:
		return Synthetic{}, fmt.Errorf("--arrivals: %q is none of steady, poisson and bursty", f.Arrivals)
	}
	if f.SleepShare == 0 && (f.Sleeps != nil || f.SleepPct != nil) {
		return Synthetic{}, errors.New("--sleeps and --sleep-pct do nothing without --sleep-share")
	}
	if f.Sleeps != nil {
		s.Sleeps = *f.Sleeps
	}
	if f.SleepPct != nil {
		s.SleepPct = *f.SleepPct
	}
	return s, nil
}

// WindowFlags are the flags that make [WindowOptions], save for the CPUs,
// which [LoadFlags] have as well.
type WindowFlags struct {
	Window    time.Duration `help:"Length of a window." default:"60s"`
	KeyPrefix string        `help:"What goes before the class in the keys, such as cgroup:/fn/; none leaves them empty."`
}

// Options returns what the flags say. They are checked by [Windows].
func (f WindowFlags) Options(cpus int) WindowOptions {
	return WindowOptions{Length: f.Window, CPUs: cpus, KeyPrefix: f.KeyPrefix}
}

// ParseSample reads how large a part of the requests is taken: N of 1/N.
func ParseSample(text string) (int, error) {
	of, ok := strings.CutPrefix(text, "1/")
	n, err := strconv.Atoi(of)
	if !ok || err != nil || n < 1 {
		return 0, fmt.Errorf("--sample: %q is not 1/N", text)
	}
	return n, nil
}
