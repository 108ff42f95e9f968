package tune

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestBestSplit by hand; squared errors are about the means of the two parts.
func TestBestSplit(t *testing.T) {
	tests := []struct {
		name   string
		places []place
		want   int
	}{
		{"one place", []place{{7, 3}}, 0},
		{"equal slices", []place{{7, 1}, {7, 2}, {7, 1}}, 0},
		// 1 | 1 9 10: 0 + 48.67; 1 1 | 9 10: 0 + 0.5; 1 1 9 | 10: 42.67 + 0.
		{"where the slices change", []place{{1, 1}, {1, 1}, {9, 1}, {10, 1}}, 2},
		// 0 | 4 9: 0 + 12.5; 0 4 | 9: 8 + 0.
		{"three", []place{{0, 1}, {4, 1}, {9, 1}}, 2},
		// The same with 0 five times. 0 | 4 9: 0 + 12.5; 0 4 | 9: 13.3 + 0.
		{"weights", []place{{0, 5}, {4, 1}, {9, 1}}, 1},
	}
	for _, test := range tests {
		if got := bestSplit(test.places); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// squaredErrors of the places about their mean.
func squaredErrors(places []place) (sum float64) {
	var weight, sumNs float64
	for _, p := range places {
		weight += p.weight
		sumNs += p.weight * p.ns
	}
	for _, p := range places {
		sum += p.weight * (p.ns - sumNs/weight) * (p.ns - sumNs/weight)
	}
	return sum
}

// fullTree grows a whole tree by trying every split, and asks it for the place at.
func fullTree(places []place, first, at int) float64 {
	best, split := squaredErrors(places), 0
	if best == 0 {
		return places[0].ns
	}
	best = math.Inf(1)
	for i := 1; i < len(places); i++ {
		if errors := squaredErrors(places[:i]) + squaredErrors(places[i:]); errors < best {
			best, split = errors, i
		}
	}
	if at < first+split {
		return fullTree(places[:split], first, at)
	}
	return fullTree(places[split:], first+split, at)
}

// TestTreeAgainstBruteForce: the split is as good as the best of all, and the way
// through the tree leads to the same leaf.
func TestTreeAgainstBruteForce(t *testing.T) {
	drawPlace := rapid.Custom(func(t *rapid.T) place {
		return place{float64(rapid.IntRange(0, 20).Draw(t, "ns")), float64(rapid.IntRange(1, 4).Draw(t, "times"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.SliceOfN(drawPlace, 1, 12).Draw(t, "places")
		if split := bestSplit(places); split > 0 {
			got := squaredErrors(places[:split]) + squaredErrors(places[split:])
			for i := 1; i < len(places); i++ {
				if errors := squaredErrors(places[:i]) + squaredErrors(places[i:]); errors < got-1e-9 {
					t.Fatalf("split at %d has errors of %g, at %d of %g", split, got, i, errors)
				}
			}
		}
		if got, want := treeAtNext(places), fullTree(places, 0, len(places)); got != want {
			t.Fatalf("the tree says %g, one grown in full %g", got, want)
		}
		// Of leaves with one place it can be nothing else.
		if got := treeAtNext(places); got != places[len(places)-1].ns {
			t.Fatalf("the tree says %g, the newest slice drawn is %g", got, places[len(places)-1].ns)
		}
	})
}

// TestForest by hand: the draws are those of the seed, and each tree answers with
// the newest that it has drawn.
func TestForest(t *testing.T) {
	slicesNs := []int64{10, 20, 60, 30}
	rng := rand.New(rand.NewPCG(5, forestStream))
	var sum int64
	for range 3 {
		newest := 0
		for range slicesNs {
			newest = max(newest, rng.IntN(len(slicesNs)))
		}
		sum += slicesNs[newest]
	}
	if got, want := (Forest{Trees: 3, Seed: 5}).Predict(slicesNs), float64(sum)/3; got != want {
		t.Errorf("forest is %g, want %g", got, want)
	}
	if got := (Forest{Trees: 1, Seed: 5}).Predict([]int64{42}); got != 42 {
		t.Errorf("forest of one slice is %g, want 42", got)
	}
}

// TestForestSeeds: a seed always gives the same, others give others, and their mean
// is an EWMA with a weight of 1 - 1/e. Its chances are of many slices; in the mean of
// 10,000 trees the 100 are off by 1% of what they vary.
func TestForestSeeds(t *testing.T) {
	slicesNs := make([]int64, 100)
	for i := range slicesNs {
		slicesNs[i] = int64(i * i % 37)
	}
	predicted := make(map[float64]bool)
	var sum float64
	const seeds = 1000
	for seed := range uint64(seeds) {
		f := Forest{Trees: ForestTrees, Seed: seed}
		got := f.Predict(slicesNs)
		if again := f.Predict(slicesNs); again != got {
			t.Fatalf("seed %d gives %g and %g", seed, got, again)
		}
		predicted[got] = true
		sum += got
	}
	if len(predicted) < 50 {
		t.Errorf("%d seeds give only %d predictions", seeds, len(predicted))
	}
	want := (EWMA{1 - 1/math.E}).Predict(slicesNs)
	if got := sum / seeds; math.Abs(got-want) > 0.3 {
		t.Errorf("the mean of %d forests is %g, want about %g", seeds, got, want)
	}
}

// TestForestOfMany: only the newest are looked at.
func TestForestOfMany(t *testing.T) {
	slicesNs := make([]int64, 3*MaxForestSlices)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range slicesNs {
		slicesNs[i] = rng.Int64N(1_000_000)
	}
	f := Forest{Trees: ForestTrees, Seed: 1}
	if got, want := f.Predict(slicesNs), f.Predict(slicesNs[2*MaxForestSlices:]); got != want {
		t.Errorf("forest is %g, of the newest alone %g", got, want)
	}
}
