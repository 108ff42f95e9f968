package evaluate

import (
	"fmt"
	"math"

	"alps/internal/chart"
	"alps/internal/compare"
)

// Plot draws how each predictor did for all classes together into an SVG or PNG
// file: how far off the slices are, and how much longer turnarounds are than
// SRPT's.
func (r *Result) Plot(path string) error {
	b := chart.Bars{
		Title: "Predictors of the next slice over " + count(r.Windows, "window"),
		X:     "predictor",
		Y:     chart.Axis{Label: "percent of the slice, or of SRPT's turnaround", Unit: chart.Share},
	}
	off := chart.BarSeries{Name: "predicted slice: mean absolute error"}
	far := chart.BarSeries{Name: "predicted slice: off by more than 20%"}
	longer := chart.BarSeries{Name: fmt.Sprintf("mean turnaround under %s: above SRPT's", r.Policy)}
	told := false
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Class != compare.AllClasses {
			continue
		}
		b.Groups = append(b.Groups, row.Predictor)
		off.Values = append(off.Values, row.MeanAbsolutePct()/100)
		far.Values = append(far.Values, 1-row.WithinPct()/100)
		above := math.NaN()
		if row.Turnaround != nil {
			above = row.Turnaround.Ratio() - 1
			told = true
		}
		longer.Values = append(longer.Values, above)
	}
	b.Series = []chart.BarSeries{off, far}
	if told {
		b.Series = append(b.Series, longer)
	}
	return b.Save(path)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
