package tune

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"

	"alps/internal/ids"
	"alps/internal/stream"
	"alps/internal/unknown"
)

// kolmogorovChance is how likely a Kolmogorov statistic is at least lambda.
func kolmogorovChance(lambda float64) (chance float64) {
	sign := 2.0
	for j := 1.0; j < 100; j++ {
		chance += sign * math.Exp(-2*j*j*lambda*lambda)
		sign = -sign
	}
	return chance
}

// TestDriftLambda: the chance is what its comment says. The others are the critical
// values that textbooks have.
func TestDriftLambda(t *testing.T) {
	for _, c := range []struct{ lambda, chance float64 }{{1.36, 0.05}, {1.63, 0.01}, {1.95, 0.001}, {driftLambda, 0.0001}} {
		if got := kolmogorovChance(c.lambda); got > c.chance || kolmogorovChance(c.lambda-0.01) < c.chance {
			t.Errorf("the chance of %g is %g, want %g", c.lambda, got, c.chance)
		}
	}
}

// TestKolmogorovLambda by hand: n*m/(n+m) is 9, its root 3; 3+0.12+0.11/3 = 3.1567.
func TestKolmogorovLambda(t *testing.T) {
	if got, want := kolmogorovLambda(0.5, 18, 18), 1.57833; math.Abs(got-want) > 1e-5 {
		t.Errorf("lambda is %g, want %g", got, want)
	}
}

// TestKolmogorovSmirnov: gonum's distance is the one meant, also with equal values.
func TestKolmogorovSmirnov(t *testing.T) {
	values := rapid.SliceOfN(rapid.Int64Range(0, 20), 1, 30)
	upTo := func(of []int64, most int64) float64 {
		n := 0
		for _, v := range of {
			if v <= most {
				n++
			}
		}
		return float64(n) / float64(len(of))
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		var want float64
		for v := range int64(21) {
			want = max(want, math.Abs(upTo(a, v)-upTo(b, v)))
		}
		if got := stat.KolmogorovSmirnov(sortedFloats(a), nil, sortedFloats(b), nil); math.Abs(got-want) > 1e-12 {
			t.Errorf("distance of %v and %v is %g, want %g", a, b, got, want)
		}
	})
}

// lognormals are demands with that median and spread.
func lognormals(rng *rand.Rand, n int, medianNs, sigma float64) []int64 {
	demandsNs := make([]int64, n)
	for i := range demandsNs {
		demandsNs[i] = roundNs(medianNs * math.Exp(sigma*rng.NormFloat64()))
	}
	return demandsNs
}

// TestDriftRates: how often demands are said to have changed that did not, and how
// often a doubling is noticed. Sigma 0.15 is a function that does the same each time,
// 2.36 all of Azure's functions together.
func TestDriftRates(t *testing.T) {
	const (
		trials = 5000
		// Half a false alarm is to be expected; more than 3 come with one seed of 500.
		byChance = 3
	)
	tests := []struct {
		sigma       float64
		newer, old  int
		factor      float64
		least, most int // of the trials
	}{
		{0.15, 10, 10, 1, 0, byChance},
		{0.15, 34, 210, 1, 0, byChance},
		{1, 10, 10, 1, 0, byChance},
		{1, 10, 90, 1, 0, byChance},
		{1, 34, 210, 1, 0, byChance},
		{2.36, 10, 90, 1, 0, byChance},
		{2.36, 34, 210, 1, 0, byChance},
		{2.36, 100, 1000, 1, 0, byChance},
		// A change of a tenth does not matter, however sure it is.
		{0.02, 100, 1000, 1.1, 0, 0},

		{0.15, 10, 90, 2, trials * 99 / 100, trials},
		{0.15, 34, 210, 2, trials, trials},
		{0.5, 34, 210, 2, trials * 90 / 100, trials},
		{1, 100, 900, 2, trials * 60 / 100, trials},
		{0.15, 34, 210, 0.5, trials, trials},
	}
	for _, test := range tests {
		name := fmt.Sprintf("sigma %g, %d and %d, factor %g", test.sigma, test.newer, test.old, test.factor)
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			changed := 0
			for range trials {
				older := lognormals(rng, test.old, 40*ms, test.sigma)
				if _, is := findDrift(lognormals(rng, test.newer, 40*ms*test.factor, test.sigma), older); is {
					changed++
				}
			}
			if changed < test.least || changed > test.most {
				t.Errorf("changed in %d of %d, want %d to %d", changed, trials, test.least, test.most)
			}
			t.Logf("changed in %d of %d", changed, trials)
		})
	}
}

// repeat is n times a value.
func repeat(n int, ns int64) []int64 {
	values := make([]int64, n)
	for i := range values {
		values[i] = ns
	}
	return values
}

// TestFindDrift at the edges of each condition. With 10 and 10 that are apart,
// lambda is 2.236+0.12+0.049 = 2.405.
func TestFindDrift(t *testing.T) {
	mixed := func(few int, fewNs int64, many int, manyNs int64) []int64 {
		return append(repeat(few, fewNs), repeat(many, manyNs)...)
	}
	tests := []struct {
		name       string
		newer, old []int64
		want       string // "" if it has not changed
	}{
		{"apart", repeat(10, 80*ms), repeat(10, 40*ms), "median demand 80ms, 40ms before (10 invocations, 10 before); its history is dropped"},
		{"few now", repeat(9, 80*ms), repeat(1000, 40*ms), ""},
		{"few before", repeat(1000, 80*ms), repeat(9, 40*ms), ""},
		{"nothing before", repeat(1000, 80*ms), nil, ""},
		{"a quarter more", repeat(100, 50*ms), repeat(100, 40*ms), "median demand 50ms, 40ms before (100 invocations, 100 before); its history is dropped"},
		{"less than a quarter more", repeat(100, 49*ms), repeat(100, 40*ms), ""},
		{"a fifth less", repeat(100, 32*ms), repeat(100, 40*ms), "median demand 32ms, 40ms before (100 invocations, 100 before); its history is dropped"},
		{"nothing used any more", repeat(100, 0), repeat(100, 40*ms), "median demand 0s, 40ms before (100 invocations, 100 before); its history is dropped"},
		{"never used anything", repeat(100, 0), repeat(100, 0), ""},
		{"three digits", repeat(100, 1_234_567_890), repeat(100, 123_456), "median demand 1.23s, 123µs before (100 invocations, 100 before); its history is dropped"},
		// The median stays at 10 ms; the mean rises from 10 to 0.75*10+0.25*50 = 20.
		{"the long ones alone", mixed(250, 50*ms, 750, 10*ms), repeat(1000, 10*ms), "mean demand 20ms, 10ms before (1000 invocations, 1000 before); its history is dropped"},
		// The same of 19% is a distance of 0.19.
		{"a few long ones", mixed(190, 90*ms, 810, 10*ms), repeat(1000, 10*ms), ""},
		// A distance of 0.5, but of 20: root 3.162, lambda 1.66.
		{"not sure", mixed(10, 90*ms, 10, 10*ms), repeat(20, 10*ms), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if d, changed := findDrift(test.newer, test.old); changed {
				got = d.String()
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// TestDrift: in the third window a needs 80 ms and not 40, which its row then is
// made of alone, and without inertia; b goes on, pooled and with inertia. The fourth window
// has what the third left. Class * is of what is left.
func TestDrift(t *testing.T) {
	var warned bytes.Buffer
	tuner := newTuner(func(o *Options) { o.History, o.Drift, o.Warn, o.Unknown = 3, true, &warned, true })
	window := func(id stream.Integer, aMs float64) *stream.Window[stream.Turn] {
		var turns []turn
		for i := range 10 {
			turns = append(turns, turn{"a", fmt.Sprint("a", id, i), aMs, 7}, turn{"b", fmt.Sprint("b", id, i), 20, 8})
		}
		return windowOf(id, 10, turns...)
	}
	steps := []struct {
		aMs      float64
		want     string
		samples  []stream.Whole
		predicts stream.Nanos // of *
	}{
		{40, "a:40 *:20 b:20", []stream.Whole{10, 20, 10}, 30 * ms},
		{40, "a:40 *:20 b:20", []stream.Whole{20, 40, 20}, 30 * ms},
		// *: 10 of 80 ms, 30 of 20: mean 35, stdev 25.981; 0.7*9.019+0.3*20 = 12.313.
		{80, "a:80 b:20 *:12.313467", []stream.Whole{10, 30, 40}, 35 * ms},
		// *: 20 of 80 ms, 30 of 20: mean 44, stdev 29.394; 0.7*14.606+0.3*12.313 = 13.918.
		{80, "a:80 b:20 *:13.918326", []stream.Whole{20, 30, 50}, 44 * ms},
	}
	for i, step := range steps {
		rows := mustPolicy(t, tuner, window(stream.Integer(i+1), step.aMs))
		if got := slicesMs(rows); got != step.want {
			t.Errorf("window %d: %s, want %s", i+1, got, step.want)
		}
		for k, row := range rows {
			if row.Samples != step.samples[k] {
				t.Errorf("window %d: %d samples of %s, want %d", i+1, row.Samples, row.Class, step.samples[k])
			}
		}
		for _, row := range rows {
			if row.Class == unknown.Class && row.PredictedNs != step.predicts {
				t.Errorf("window %d: * is predicted to be %d, want %d", i+1, row.PredictedNs, step.predicts)
			}
		}
	}
	want := "window 3: class \"a\" has changed: median demand 80ms, 40ms before (10 invocations, 20 before); its history is dropped\n"
	if warned.String() != want {
		t.Errorf("it says %q, want %q", warned.String(), want)
	}
}

func TestDrop(t *testing.T) {
	var o observer
	w := windowOf(1, 10, turn{"a", "a1", 1, 5}, turn{"b", "b1", 2, 6}, turn{"a", "a1", 3, 5}, turn{"c", "c1", 4, 7}, turn{"b", "b1", 5, 6})
	if err := o.add(w.Rows, w.Lines, w.Errorf); err != nil {
		t.Fatal(err)
	}
	o.drop(map[string]bool{"a": true, "elsewhere": true})
	want := &observed{
		classes: []string{"a", "b", "c"},
		keys:    [][]string{{"cgroup:/fn/a"}, {"cgroup:/fn/b"}, {"cgroup:/fn/c"}},
		slices:  []sample{{1, 2 * ms}, {2, 4 * ms}, {1, 5 * ms}}, waits: []sample{{1, 6 * ms}, {2, 7 * ms}},
		demands: []sample{{1, 7 * ms}, {2, 4 * ms}}, invocations: []uint32{1, 2},
	}
	if diff := cmp.Diff(want, &o.observed, cmp.AllowUnexported(savedWindow{}, observed{}, sample{}), cmp.FilterValues(func(_, _ ids.Texts) bool { return true }, cmp.Ignore())); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if b1, c1 := o.table.Of(1), o.table.Of(2); b1 != "b1" || c1 != "c1" {
		t.Errorf("those left are %q and %q, not b1 and c1", b1, c1)
	}
}
