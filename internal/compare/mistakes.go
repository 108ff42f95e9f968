package compare

import (
	"context"
	"io"
	"math"

	"github.com/gocarina/gocsv"

	"alps/internal/sim"
)

// Mistake is what SRPT comes to with mistaken predictions of one kind.
type Mistake struct {
	Prediction Prediction
	// Seeds is how many times predictions were drawn and simulated.
	Seeds int
	// MeanNs is the mean turnaround over all of them; Ratio is that over that
	// of exact SRPT, LeastRatio and MostRatio are those of single seeds.
	MeanNs                       float64
	Ratio, LeastRatio, MostRatio float64
}

// MistakesPct are the errors and shares of the study of mistakes.
var MistakesPct = []float64{10, 20, 30, 50, 75, 100, 150, 200, 300}

// Mistakes is the study that ALPS rests on: how close SRPT remains to itself
// where all predictions are wrong within a bound, where a share of them is
// random, and where they are the mean of the class; and what FIFO and a
// perfectly fair scheduler (round robin of 1 ms), which predict nothing, come
// to.
func (t *Timeline) Mistakes(ctx context.Context, cfg sim.Config, seeds int, done func(done, of int)) ([]Mistake, error) {
	predictions := []Prediction{{Kind: PredictExact}, {Kind: PredictClassMean}}
	for _, kind := range []string{PredictWithin, PredictRandom} {
		for _, pct := range MistakesPct {
			if kind == PredictWithin || pct <= 100 {
				predictions = append(predictions, Prediction{kind, pct})
			}
		}
	}
	var (
		mistakes []Mistake
		exactNs  float64
	)
	for i, p := range predictions {
		m := Mistake{Prediction: p, Seeds: seeds, LeastRatio: math.Inf(1)}
		if p.Kind == PredictExact || p.Kind == PredictClassMean {
			m.Seeds = 1
		}
		for seed := range m.Seeds {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			ns, err := t.meanTurnaroundNs(cfg, p.SRPT(t.Jobs, 0, uint64(seed+1)))
			if err != nil {
				return nil, err
			}
			if p.Kind == PredictExact {
				exactNs = ns
			}
			m.MeanNs += ns / float64(m.Seeds)
			m.LeastRatio, m.MostRatio = min(m.LeastRatio, ns/exactNs), max(m.MostRatio, ns/exactNs)
		}
		m.Ratio = m.MeanNs / exactNs
		mistakes = append(mistakes, m)
		if done != nil {
			done(i+1, len(predictions)+2)
		}
	}
	for _, other := range []struct {
		name   string
		policy sim.Policy
	}{{"fifo", sim.FIFO{}}, {"fair", sim.RR{QuantumNs: 1_000_000}}} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		ns, err := t.meanTurnaroundNs(cfg, other.policy)
		if err != nil {
			return nil, err
		}
		mistakes = append(mistakes, Mistake{
			Prediction: Prediction{Kind: other.name}, Seeds: 1, MeanNs: ns, Ratio: ns / exactNs, LeastRatio: ns / exactNs, MostRatio: ns / exactNs,
		})
	}
	return mistakes, nil
}

func (t *Timeline) meanTurnaroundNs(cfg sim.Config, p sim.Policy) (float64, error) {
	r, err := t.run(cfg, p)
	if err != nil {
		return 0, err
	}
	var sum float64
	for i := range t.Jobs {
		sum += float64(r.EndNs[i] - t.Jobs[i].ArrivalNs)
	}
	return sum / float64(len(t.Jobs)), nil
}

// WriteMistakes writes them as CSV: predictions, pct, seeds, mean_ns,
// mean_ratio, least_ratio, most_ratio. The ratios are to exact SRPT; pct is
// empty where the kind has none.
func WriteMistakes(w io.Writer, mistakes []Mistake) error {
	type row struct {
		Predictions string `csv:"predictions"`
		Pct         string `csv:"pct"`
		Seeds       int    `csv:"seeds"`
		MeanNs      int64  `csv:"mean_ns"`
		MeanRatio   string `csv:"mean_ratio"`
		LeastRatio  string `csv:"least_ratio"`
		MostRatio   string `csv:"most_ratio"`
	}
	rows := make([]row, len(mistakes))
	for i, m := range mistakes {
		rows[i] = row{
			Predictions: m.Prediction.Kind, Seeds: m.Seeds, MeanNs: int64(math.Round(m.MeanNs)),
			MeanRatio: decimals(m.Ratio), LeastRatio: decimals(m.LeastRatio), MostRatio: decimals(m.MostRatio),
		}
		if m.Prediction.Kind == PredictWithin || m.Prediction.Kind == PredictRandom {
			rows[i].Pct = formatPct(m.Prediction.Pct)
		}
	}
	return gocsv.Marshal(rows, w)
}
