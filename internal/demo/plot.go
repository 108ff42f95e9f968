package demo

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgimg" // PNG
	_ "gonum.org/v1/plot/vg/vgsvg" // SVG
)

// curve is a distribution of turnarounds to be drawn.
type curve struct {
	name  string
	ns    []int64
	style draw.LineStyle
}

// The curves are told apart by their dashes and widths as well, for print. The
// ideal is drawn last and over that of ALPS, which it mostly lies on.
var (
	styleBefore = draw.LineStyle{
		Color: color.RGBA{R: 0xc0, G: 0x39, B: 0x2b, A: 0xff}, Width: vg.Points(1.6), Dashes: []vg.Length{vg.Points(6), vg.Points(3)},
	}
	styleALPS  = draw.LineStyle{Color: color.RGBA{R: 0x4a, G: 0x86, B: 0xd8, A: 0xff}, Width: vg.Points(3)}
	styleIdeal = draw.LineStyle{Color: color.Black, Width: vg.Points(1), Dashes: []vg.Length{vg.Points(1), vg.Points(2)}}
)

// plotCurves draws the distributions into an SVG or PNG file: the share of
// invocations that took no longer than a time.
func plotCurves(path, title string, curves ...curve) error {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text = "turnaround (log scale)"
	p.Y.Label.Text = "share of invocations that took no longer"
	p.X.Scale = plot.LogScale{}
	p.X.Tick.Marker = timeTicks{}
	p.Y.Min, p.Y.Max = 0, 1
	p.Y.Tick.Marker = shareTicks{}
	// The curves rise from the lower left to the upper right, so the lower right
	// is free.
	p.Legend.Top, p.Legend.Left = false, false
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(-8), vg.Points(8)
	p.Legend.ThumbnailWidth = vg.Points(28)
	p.Legend.Padding = vg.Points(3)
	for _, f := range []*font.Font{
		&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font,
	} {
		f.Variant = "Sans"
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{Y: 0xd8}, color.Gray{Y: 0xd8}
	p.Add(grid)
	for _, c := range curves {
		l, err := plotter.NewLine(distribution(c.ns))
		if err != nil {
			return fmt.Errorf("drawing %s: %w", c.name, err)
		}
		l.LineStyle = c.style
		p.Add(l)
		p.Legend.Add(fmt.Sprintf("%s (mean %s)", c.name, humanNs(mean(c.ns))), l)
	}
	return save(p, path)
}

// save draws a plot with a margin into a file of the format that its name says.
func save(p *plot.Plot, path string) error {
	canvas, err := draw.NewFormattedCanvas(18*vg.Centimeter, 11*vg.Centimeter, strings.TrimPrefix(filepath.Ext(path), "."))
	if err != nil {
		return fmt.Errorf("drawing %s: %w", path, err)
	}
	const margin = 6
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	return writeFile(path, func(w io.Writer) error {
		_, err := canvas.WriteTo(w)
		return err
	})
}

// distribution is the share of values up to each one, in ns, as steps.
func distribution(ns []int64) plotter.XYs {
	// A log scale has no 0.
	const shortest = 1000
	sorted := slices.Sorted(slices.Values(ns))
	var points plotter.XYs
	for i, v := range sorted {
		x := float64(max(v, shortest))
		points = append(points,
			plotter.XY{X: x, Y: float64(i) / float64(len(sorted))},
			plotter.XY{X: x, Y: float64(i+1) / float64(len(sorted))})
	}
	return points
}

func mean(ns []int64) float64 {
	var sum float64
	for _, v := range ns {
		sum += float64(v)
	}
	return sum / float64(len(ns))
}

// humanNs is a time with its unit, in three digits or more.
func humanNs(ns float64) string {
	// What would be rounded to 1000 of a unit is 1 of the next.
	const almost = 0.9995
	switch {
	case ns >= 999.5e9:
		return fmt.Sprintf("%.0f s", ns/1e9)
	case ns >= almost*1e9:
		return fmt.Sprintf("%.3g s", ns/1e9)
	case ns >= almost*1e6:
		return fmt.Sprintf("%.3g ms", ns/1e6)
	}
	return fmt.Sprintf("%.3g us", ns/1e3)
}

// timeTicks marks times on a log scale: 1 ms, 10 ms, 100 ms, 1 s, and the ones
// between without labels.
type timeTicks struct{}

// Ticks implements [plot.Ticker].
func (timeTicks) Ticks(min, max float64) []plot.Tick {
	var ticks []plot.Tick
	for decade := math.Floor(math.Log10(min)); decade <= math.Log10(max); decade++ {
		for i := 1.0; i < 10; i++ {
			t := plot.Tick{Value: i * math.Pow(10, decade)}
			if i == 1 {
				t.Label = humanNs(t.Value)
			}
			if t.Value >= min && t.Value <= max {
				ticks = append(ticks, t)
			}
		}
	}
	return ticks
}

// shareTicks marks quarters, so that the median has its line.
type shareTicks struct{}

// Ticks implements [plot.Ticker].
func (shareTicks) Ticks(_, _ float64) []plot.Tick {
	var ticks []plot.Tick
	for pct := 0; pct <= 100; pct += 25 {
		ticks = append(ticks, plot.Tick{Value: float64(pct) / 100, Label: fmt.Sprintf("%d %%", pct)})
	}
	return ticks
}
