package demo

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Plot draws the distributions of the turnarounds into an SVG or PNG file: the
// share of invocations that took no longer than so many ms.
func (t *Table) Plot(path, title string) error {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text = "turnaround in ms (log scale)"
	p.Y.Label.Text = "share of invocations"
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = plot.LogTicks{Prec: 0}
	p.Y.Min, p.Y.Max = 0, 1
	p.Legend.Top = false
	p.Legend.Left = false
	p.Add(plotter.NewGrid())
	// Told apart by their dashes as well, for print.
	for _, line := range []struct {
		name   string
		ns     []int64
		color  color.Color
		dashes []vg.Length
	}{
		{"kernel's own scheduler", t.Kernel, color.RGBA{R: 0xc0, G: 0x39, B: 0x2b, A: 0xff}, []vg.Length{vg.Points(6), vg.Points(3)}},
		{"ALPS", t.ALPS, color.RGBA{R: 0x1f, G: 0x4e, B: 0x9e, A: 0xff}, nil},
		{"SRPT, ideal", t.SRPT, color.Gray{Y: 0x60}, []vg.Length{vg.Points(1), vg.Points(2)}},
	} {
		l, err := plotter.NewLine(distribution(line.ns))
		if err != nil {
			return err
		}
		l.Color, l.Dashes, l.Width = line.color, line.dashes, vg.Points(1.6)
		p.Add(l)
		p.Legend.Add(line.name, l)
	}
	return p.Save(18*vg.Centimeter, 11*vg.Centimeter, path)
}

// distribution is the share of values up to each one, in ms, as steps.
func distribution(ns []int64) plotter.XYs {
	sorted := slices.Sorted(slices.Values(ns))
	var points plotter.XYs
	for i, v := range sorted {
		// A log scale has no 0; what is below a microsecond is one.
		x := max(float64(v), 1e3) / 1e6
		points = append(points,
			plotter.XY{X: x, Y: float64(i) / float64(len(sorted))},
			plotter.XY{X: x, Y: float64(i+1) / float64(len(sorted))})
	}
	return points
}
