package workload

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// moments returns the mean and the coefficient of variation.
func moments(values []float64) (mean, cv float64) {
	for _, v := range values {
		mean += v
	}
	mean /= float64(len(values))
	var squares float64
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(squares/float64(len(values))) / mean
}

func gapsOf(trace Trace) []float64 {
	gaps := make([]float64, len(trace)-1)
	for i := range gaps {
		gaps[i] = float64(trace[i+1].ArrivalNs - trace[i].ArrivalNs)
	}
	return gaps
}

func generate(t *testing.T, s Synthetic) Trace {
	t.Helper()
	trace, err := Generate(s)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

func TestGenerateRepeats(t *testing.T) {
	first := generate(t, DefaultSynthetic)
	if diff := cmp.Diff(first, generate(t, DefaultSynthetic)); diff != "" {
		t.Errorf("the same seed made another workload:\n%s", diff)
	}
	other := DefaultSynthetic
	other.Seed = 2
	if cmp.Equal(first, generate(t, other)) {
		t.Error("another seed made the same workload")
	}
}

func TestGenerateShape(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		s := DefaultSynthetic
		s.Seed = seed
		trace := generate(t, s)
		if len(trace) != s.Invocations {
			t.Fatalf("%d invocations, want %d", len(trace), s.Invocations)
		}
		counts := make(map[string]int)
		for i, r := range trace {
			counts[r.Class]++
			if i > 0 && r.ArrivalNs < trace[i-1].ArrivalNs {
				t.Fatalf("request %d arrives before the one above it", i)
			}
		}
		// 388 beyond the one of each class, shared as 1/k of 3.1032 for the
		// twelve: 125.03, 62.5, 41.7, ... 10.4.
		if len(counts) != 12 || counts["c01"] != 126 || counts["c12"] != 11 {
			t.Errorf("seed %d: invocations by class: %v", seed, counts)
		}
	}
}

func TestGenerateDemands(t *testing.T) {
	s := DefaultSynthetic
	s.Invocations, s.Zipf = 60_000, 0
	byClass := make(map[string][]float64)
	for _, r := range generate(t, s) {
		byClass[r.Class] = append(byClass[r.Class], float64(r.CPUNs))
	}
	last := 0.0
	for _, class := range strings.Fields("c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12") {
		mean, cv := moments(byClass[class])
		if mean < last {
			t.Errorf("%s has a mean of %v, shorter than the class before it", class, time.Duration(mean))
		}
		if mean < 0.98*float64(s.MinDemand) || mean > 1.02*float64(s.MaxDemand) {
			t.Errorf("%s has a mean of %v, out of bounds", class, time.Duration(mean))
		}
		if math.Abs(cv-0.15) > 0.01 {
			t.Errorf("%s has a coefficient of variation of %.3f, want 0.15", class, cv)
		}
		last = mean
	}
}

func TestVary(t *testing.T) {
	rng := newRand(1)
	values := make([]float64, 1_000_000)
	for i := range values {
		values[i] = float64(Load{Sigma: 0.5}.Vary(rng, 1e9))
	}
	if mean, cv := moments(values); math.Abs(mean/1e9-1) > 0.005 || math.Abs(cv-0.5) > 0.005 {
		t.Errorf("mean %v, coefficient of variation %.3f, want 1s and 0.5", time.Duration(mean), cv)
	}
}

// Half of Azure's executions are shorter than exp(-0.38) s = 684 ms, so with
// bounds alike far from it in probability half the classes are.
func TestGenerateQuantiles(t *testing.T) {
	s := DefaultSynthetic
	s.Classes, s.Invocations, s.Load.Sigma = 1000, 1000, 0
	s.MinDemand, s.MaxDemand = time.Nanosecond, 24*time.Hour
	below := 0
	for _, r := range generate(t, s) {
		if r.CPUNs < int64(684*time.Millisecond) {
			below++
		}
	}
	if below < 498 || below > 502 {
		t.Errorf("%d of 1000 classes are shorter than the median, want 500", below)
	}
}

func TestGenerateGaps(t *testing.T) {
	for _, cv := range []float64{SteadyCV, PoissonCV, BurstyCV} {
		s := DefaultSynthetic
		s.Invocations, s.GapCV = 100_000, cv
		if _, got := moments(gapsOf(generate(t, s))); math.Abs(got/cv-1) > 0.03 {
			t.Errorf("the gaps vary by %.3f, want %v", got, cv)
		}
	}
}

func TestGenerateUtilisation(t *testing.T) {
	s := DefaultSynthetic
	s.GapCV = 0
	trace := generate(t, s)
	// With equal gaps the run lasts n of them.
	span := float64(trace[1].ArrivalNs) * float64(len(trace))
	if util := float64(trace.DemandNs()) / span; math.Abs(util-0.9) > 1e-6 {
		t.Errorf("utilisation %.6f, want 0.9", util)
	}

	s.Load.CPUs, s.Load.UtilisationPct = 2, 45
	same := generate(t, s)
	if diff := cmp.Diff(trace, same); diff != "" {
		t.Errorf("45%% of two CPUs is not 90%% of one:\n%s", diff)
	}
	s.Load.UtilisationPct = 90
	for i, r := range generate(t, s) {
		if r.CPUNs != trace[i].CPUNs {
			t.Fatal("the utilisation changed a demand")
		}
		if diff := 2*r.ArrivalNs - trace[i].ArrivalNs; diff < -2 || diff > 2 {
			t.Fatalf("request %d arrives at %d; twice the CPUs should halve %d", i, r.ArrivalNs, trace[i].ArrivalNs)
		}
	}
}

func TestApportion(t *testing.T) {
	for _, test := range []struct {
		n       int
		weights []float64
		want    []int
	}{
		{3, []float64{1, 1, 1}, []int{1, 1, 1}},
		{10, []float64{1, 0}, []int{9, 1}},
		// 8 beyond one each: 4.57, 2.29, 1.14; the remainders give it to the first.
		{11, []float64{4, 2, 1}, []int{6, 3, 2}},
		{5, []float64{1, 1, 1}, []int{2, 2, 1}},
	} {
		if diff := cmp.Diff(test.want, apportion(test.n, test.weights)); diff != "" {
			t.Errorf("%d among %v (-want +got):\n%s", test.n, test.weights, diff)
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	for want, change := range map[string]func(*Synthetic){
		"0 classes":               func(s *Synthetic) { s.Classes = 0 },
		"11 invocations":          func(s *Synthetic) { s.Invocations = 11 },
		"demands from 0s":         func(s *Synthetic) { s.MinDemand = 0 },
		"demands from 3s to 2s":   func(s *Synthetic) { s.MinDemand = 3 * time.Second },
		"coefficient":             func(s *Synthetic) { s.GapCV = math.NaN() },
		"Zipf":                    func(s *Synthetic) { s.Zipf = -1 },
		"1 weights":               func(s *Synthetic) { s.Weights = []float64{1} },
		"weight of -1":            func(s *Synthetic) { s.Classes, s.Weights = 1, []float64{-1} },
		"all weights are 0":       func(s *Synthetic) { s.Classes, s.Weights = 1, []float64{0} },
		"utilisation 0%":          func(s *Synthetic) { s.Load.UtilisationPct = 0 },
		"0 CPUs":                  func(s *Synthetic) { s.Load.CPUs = 0 },
		"sigma -1":                func(s *Synthetic) { s.Load.Sigma = -1 },
		"a workload: 10000001 in": func(s *Synthetic) { s.Invocations = 10_000_001 },
	} {
		s := DefaultSynthetic
		change(&s)
		if _, err := Generate(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
