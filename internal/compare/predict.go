package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"alps/internal/sim"
)

// Prediction is how SRPT comes to know what jobs need.
type Prediction struct {
	// Kind is one of the Predict constants.
	Kind string
	// Pct is the bound of the error, or the share of random predictions.
	Pct float64
}

// Kinds of predictions.
const (
	// PredictExact is the truth.
	PredictExact = "exact"
	// PredictWithin makes all of them wrong by a factor that is drawn evenly
	// from 1 - Pct/100 to 1 + Pct/100, and is 0 if that is below 0. Pct is from
	// 0 to MaxErrorPct.
	PredictWithin = "within"
	// PredictRandom makes a share of Pct percent of them, drawn, the truth of
	// some other invocation, drawn as well. The others are exact.
	PredictRandom = "random"
	// PredictClassMean is the mean of the invocation's class in the whole
	// timeline.
	PredictClassMean = "class-mean"
)

// MaxErrorPct bounds the error of predictions.
const MaxErrorPct = 1000

// ParsePrediction reads exact, within:PCT, random:PCT or class-mean.
func ParsePrediction(text string) (Prediction, error) {
	kind, number, has := strings.Cut(text, ":")
	most := 0.0
	switch kind {
	case PredictExact, PredictClassMean:
		if has {
			return Prediction{}, fmt.Errorf("%s takes no number", kind)
		}
		return Prediction{Kind: kind}, nil
	case PredictWithin:
		most = MaxErrorPct
	case PredictRandom:
		most = 100
	default:
		return Prediction{}, fmt.Errorf("%q is no kind of prediction: exact, within:PCT, random:PCT and class-mean are", text)
	}
	pct, err := strconv.ParseFloat(number, 64)
	if err != nil || !(pct >= 0 && pct <= most) {
		return Prediction{}, fmt.Errorf("%s:%s: after the colon has to come a number from 0 to %g", kind, number, most)
	}
	return Prediction{Kind: kind, Pct: pct}, nil
}

// String is what [ParsePrediction] reads.
func (p Prediction) String() string {
	if p.Kind == PredictWithin || p.Kind == PredictRandom {
		return p.Kind + ":" + formatPct(p.Pct)
	}
	return p.Kind
}

func formatPct(pct float64) string { return strconv.FormatFloat(pct, 'f', -1, 64) }

// predictedNs makes the predictions for jobs; nil for exact ones. The same seed
// makes the same.
func (p Prediction) predictedNs(jobs []sim.Job, seed uint64) []int64 {
	rng := rand.New(rand.NewPCG(seed, 0x70726564)) // "pred"
	predictedNs := make([]int64, len(jobs))
	switch p.Kind {
	case PredictWithin:
		for i := range jobs {
			factor := 1 + p.Pct/100*(2*rng.Float64()-1)
			predictedNs[i] = int64(math.Round(min(max(factor, 0)*float64(jobs[i].CPUNs), 1<<62)))
		}
	case PredictRandom:
		for i := range jobs {
			predictedNs[i] = jobs[i].CPUNs
			// Both are drawn for each, so that a larger share has the random
			// predictions of a smaller one, and more.
			other, share := rng.IntN(len(jobs)), rng.Float64()
			if share < p.Pct/100 {
				predictedNs[i] = jobs[other].CPUNs
			}
		}
	case PredictClassMean:
		sums := make(map[int32]*classMean)
		for i := range jobs {
			m := sums[jobs[i].Class]
			if m == nil {
				m = new(classMean)
				sums[jobs[i].Class] = m
			}
			m.sumNs += float64(jobs[i].CPUNs)
			m.n++
		}
		for i := range jobs {
			predictedNs[i] = sums[jobs[i].Class].ns()
		}
	default:
		return nil
	}
	return predictedNs
}

type classMean struct{ sumNs, n float64 }

func (m *classMean) ns() int64 { return int64(math.Round(min(m.sumNs/m.n, 1<<62))) }

// SRPT is SRPT that goes by predictions.
func (p Prediction) SRPT(jobs []sim.Job, minSliceNs int64, seed uint64) sim.SRPT {
	return sim.SRPT{MinSliceNs: minSliceNs, PredictedNs: p.predictedNs(jobs, seed)}
}
