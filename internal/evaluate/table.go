package evaluate

import (
	"cmp"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/gocarina/gocsv"

	"alps/internal/compare"
)

// rows are those of a predictor.
func (r *run) rows(c *candidate, turnarounds map[string]*Turnaround) []Row {
	order := make([]int, 0, len(r.classes))
	for class := range r.classes {
		if r.sums[class].turns > 0 {
			order = append(order, class)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(
			cmp.Compare(r.sums[a].ns/r.sums[a].turns, r.sums[b].ns/r.sums[b].turns),
			cmp.Compare(r.classes[a], r.classes[b]))
	})
	var rows []Row
	all := Row{Predictor: c.name, Class: compare.AllClasses, Turnaround: turnarounds[compare.AllClasses]}
	for _, class := range order {
		rows = append(rows, Row{Predictor: c.name, Class: r.classes[class], Errors: c.errors[class], Turnaround: turnarounds[r.classes[class]]})
		all.add(c.errors[class])
	}
	return append(rows, all)
}

// Write writes the table as CSV: predictor, class, turns, new, zero, mape_pct,
// bias_pct, within_20_pct, invocations, turnaround_ns, srpt_turnaround_ns,
// turnaround_ratio. What cannot be told is empty.
func (r *Result) Write(w io.Writer) error {
	type line struct {
		Predictor   string `csv:"predictor"`
		Class       string `csv:"class"`
		Turns       int    `csv:"turns"`
		New         int    `csv:"new"`
		Zero        int    `csv:"zero"`
		MAPEPct     string `csv:"mape_pct"`
		BiasPct     string `csv:"bias_pct"`
		WithinPct   string `csv:"within_20_pct"`
		Invocations string `csv:"invocations"`
		MeanNs      string `csv:"turnaround_ns"`
		SRPTNs      string `csv:"srpt_turnaround_ns"`
		Ratio       string `csv:"turnaround_ratio"`
	}
	lines := make([]line, len(r.Rows))
	for i := range r.Rows {
		row := &r.Rows[i]
		lines[i] = line{
			Predictor: row.Predictor, Class: row.Class, Turns: row.Turns, New: row.New, Zero: row.Zero,
			MAPEPct: decimals(row.MeanAbsolutePct(), 2), BiasPct: decimals(row.BiasPct(), 2), WithinPct: decimals(row.WithinPct(), 2),
		}
		if t := row.Turnaround; t != nil {
			lines[i].Invocations = strconv.Itoa(t.Invocations)
			lines[i].MeanNs, lines[i].SRPTNs = decimals(t.MeanNs, 0), decimals(t.SRPTNs, 0)
			lines[i].Ratio = decimals(t.Ratio(), 4)
		}
	}
	return gocsv.Marshal(lines, w)
}

// decimals is empty for NaN.
func decimals(v float64, digits int) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
