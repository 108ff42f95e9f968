package workload

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The figures in README.md are those of seed 1.
func TestGenerateSeedOneStays(t *testing.T) {
	var text strings.Builder
	if err := generate(t, DefaultSynthetic).Write(&text); err != nil {
		t.Fatal(err)
	}
	const want = "82c3ee98d5799012d1f1ae203dd330e8252c0727621712d4cb1b7427a8c46954"
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(text.String()))); got != want {
		t.Errorf("the trace of seed 1 is another one: SHA-256 %s, want %s", got, want)
	}
}

func sleepingSynthetic() Synthetic {
	s := DefaultSynthetic
	s.SleepShare, s.Sleeps, s.SleepPct = 0.25, 4, 200
	return s
}

func TestGenerateSleeps(t *testing.T) {
	s := sleepingSynthetic()
	s.Load.Sigma = 0
	for _, r := range generate(t, s) {
		// But for what is rounded: half a ns in the demand, half in a sleep.
		off := r.Sleeps*r.SleepNs - 2*r.CPUNs
		if r.Sleeps != 0 && (r.Sleeps != 4 || off < -4 || off > 4) || r.Sleeps == 0 && r.SleepNs != 0 {
			t.Fatalf("%+v, want 4 sleeps of twice the CPU demand in all", r)
		}
	}
}

func TestGenerateSleepsVary(t *testing.T) {
	s := sleepingSynthetic()
	s.Classes, s.Invocations = 1, 60_000
	var demands, slept []float64
	for _, r := range generate(t, s) {
		demands, slept = append(demands, float64(r.CPUNs)), append(slept, float64(r.Sleeps*r.SleepNs))
	}
	demand, _ := moments(demands)
	mean, cv := moments(slept)
	if math.Abs(mean/demand-2) > 0.01 || math.Abs(cv-0.15) > 0.01 {
		t.Errorf("slept for %.3f of the demand, varying by %.3f; want 2 and 0.15", mean/demand, cv)
	}
	var covariance float64
	for i := range slept {
		covariance += (demands[i]/demand - 1) * (slept[i]/mean - 1) / float64(len(slept))
	}
	if correlation := covariance / (cv * cv); math.Abs(correlation) > 0.02 {
		t.Errorf("sleeps and demands go together by %.3f, want 0", correlation)
	}
}

func TestGenerateSleepsLeaveTheRest(t *testing.T) {
	awake := generate(t, DefaultSynthetic)
	trace := generate(t, sleepingSynthetic())
	if !trace.sleeps() {
		t.Fatal("nobody sleeps")
	}
	for i := range trace {
		trace[i].Sleeps, trace[i].SleepNs = 0, 0
	}
	if diff := cmp.Diff(awake, trace); diff != "" {
		t.Errorf("sleeps changed arrivals or demands:\n%s", diff)
	}
}

func TestSleepingClasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Synthetic{
			Classes:    rapid.IntRange(1, 300).Draw(t, "classes"),
			SleepShare: rapid.Float64Range(0, 1).Draw(t, "share"),
		}
		sleeping := s.sleepingClasses(newSleepRand(rapid.Uint64().Draw(t, "seed")))
		want := int(math.Round(s.SleepShare * float64(s.Classes)))
		if s.SleepShare > 0 {
			want = max(1, want)
		}
		n := 0
		for i, sleeps := range sleeping {
			if sleeps {
				n++
			}
			// Evenly: of the first classes as many as of all, but for one.
			due := float64(want) * float64(i+1) / float64(s.Classes)
			if math.Abs(float64(n)-due) > 1 {
				t.Fatalf("%d of the first %d classes sleep, of %d in all %d", n, i+1, s.Classes, want)
			}
		}
		if n != want {
			t.Fatalf("%d of %d classes sleep, want %d", n, s.Classes, want)
		}
	})
	s := sleepingSynthetic()
	first := s.sleepingClasses(newSleepRand(1))
	for seed := uint64(2); slices.Equal(first, s.sleepingClasses(newSleepRand(seed))); seed++ {
		if seed == 20 {
			t.Fatal("the classes that sleep do not depend on the seed")
		}
	}
}

func TestGenerateRefusesSleeps(t *testing.T) {
	for want, change := range map[string]func(*Synthetic){
		"a share of 1.1":      func(s *Synthetic) { s.SleepShare = 1.1 },
		"a share of NaN":      func(s *Synthetic) { s.SleepShare = math.NaN() },
		"0 sleeps":            func(s *Synthetic) { s.Sleeps = 0 },
		"1000001 sleeps":      func(s *Synthetic) { s.Sleeps = 1_000_001 },
		"sleeping for 0%":     func(s *Synthetic) { s.SleepPct = 0 },
		"sleeping for NaN%":   func(s *Synthetic) { s.SleepPct = math.NaN() },
		"for 4.4e+06% of up ": func(s *Synthetic) { s.SleepPct = 4.4e6 },
	} {
		s := sleepingSynthetic()
		change(&s)
		if _, err := Generate(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
