package tune

import "math/rand/v2"

const (
	// ForestTrees is how many trees the forest of the ALPS artifact has.
	ForestTrees = 10
	// MaxForestSlices is how many slices, the newest, a [Forest] looks at. Of
	// n slices, the chance that a tree's draws miss all of the newest k is
	// (1 - k/n)^n, below e^-k: what is older does not matter.
	MaxForestSlices = 1000
)

// Forest predicts with a random forest over the sequence of slices: regression
// trees of slice by place, each grown on as many slices as there are, drawn with
// replacement, and asked for the next place; the mean of what they answer (L.
// Breiman, "Random Forests", 2001). One of the artifact's predictors: scikit-learn's
// RandomForestRegressor with 10 trees and the defaults otherwise, so that each tree
// grows until its leaves hold one place or equal slices. The same seed and slices
// give the same prediction, though not the artifact's: its generator is another.
//
// The next place is beyond all others, so it is in the leaf of the newest place that
// a tree has drawn, and a leaf of one place answers with its slice. So what is
// predicted is the mean of 10 slices drawn from the newest ones, the last with a
// chance of 1 - 1/e = 63% each, the one before it with 23%, then 9%, …: about what an
// EWMA with a weight of 0.63 predicts, and noise on top. A forest is no better at
// extrapolating than that.
type Forest struct {
	// Trees is how many, at least 1; the artifact has [ForestTrees].
	Trees int
	// Seed of the draws.
	Seed uint64
}

// forestStream tells the draws of forests from others with the same seed.
const forestStream = 0x666f72657374 // "forest"

// Predict implements [Predictor].
func (f Forest) Predict(slicesNs []int64) float64 {
	slicesNs = slicesNs[max(len(slicesNs)-MaxForestSlices, 0):]
	rng := rand.New(rand.NewPCG(f.Seed, forestStream))
	drawn := make([]int, len(slicesNs))
	sample := make([]place, 0, len(slicesNs))
	var sum float64
	for range f.Trees {
		clear(drawn)
		for range drawn {
			drawn[rng.IntN(len(drawn))]++
		}
		sample = sample[:0]
		for i, times := range drawn {
			if times > 0 {
				sample = append(sample, place{ns: float64(slicesNs[i]), weight: float64(times)})
			}
		}
		sum += treeAtNext(sample)
	}
	return sum / float64(f.Trees)
}
