package compare

import (
	"fmt"

	"alps/internal/chart"
)

// Plot draws the distributions of the turnarounds of all runs into an SVG or PNG
// file.
func Plot(path string, cpus int, runs []Run) error {
	d := chart.Distributions{
		Title: fmt.Sprintf("Turnaround of the same %d invocations on %s", len(runs[0].Outcomes), machine(cpus)),
		X:     chart.Axis{Label: "turnaround", Unit: chart.Ns},
	}
	for _, r := range runs {
		turnaroundsNs := make([]int64, len(r.Outcomes))
		for i, o := range r.Outcomes {
			turnaroundsNs[i] = o.TurnaroundNs
		}
		d.Curves = append(d.Curves, chart.NewCurve(r.Name, turnaroundsNs))
	}
	return d.Save(path)
}

func machine(cpus int) string {
	if cpus == 1 {
		return "1 CPU"
	}
	return fmt.Sprintf("%d CPUs", cpus)
}

// PlotMistakes draws the study of mistakes into an SVG or PNG file: the mean
// turnaround over that of exact SRPT, by how mistaken the predictions are. What
// predicts nothing is a level line.
func PlotMistakes(path string, mistakes []Mistake) error {
	l := chart.Lines{
		Title: "SRPT with mistaken predictions",
		X:     chart.Axis{Label: "error of all predictions, or share of random ones, in %"},
		Y:     chart.Axis{Label: "mean turnaround over that of exact SRPT", Log: true},
	}
	var most float64
	for _, m := range mistakes {
		most = max(most, m.Prediction.Pct)
	}
	for _, shown := range []struct{ kind, name string }{
		{PredictWithin, "all wrong, by up to so much"},
		{PredictRandom, "so many of them random"},
		{PredictClassMean, "the mean of the class"},
		{"fair", "no prediction: fair shares"},
		{"fifo", "no prediction: first come, first served"},
	} {
		s := chart.XYSeries{Name: shown.name}
		for _, m := range mistakes {
			switch {
			case m.Prediction.Kind != shown.kind:
			case shown.kind == PredictWithin || shown.kind == PredictRandom:
				s.X, s.Y = append(s.X, m.Prediction.Pct), append(s.Y, m.Ratio)
			default:
				s.X, s.Y = []float64{0, most}, []float64{m.Ratio, m.Ratio}
			}
		}
		if shown.kind == PredictWithin || shown.kind == PredictRandom {
			s.X, s.Y = append([]float64{0}, s.X...), append([]float64{1}, s.Y...)
		}
		l.Series = append(l.Series, s)
	}
	return l.Save(path)
}
