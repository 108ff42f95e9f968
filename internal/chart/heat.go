package chart

import (
	"errors"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Heat shows how something depends on two parameters: a table whose cells are
// the darker the larger their value is, with the values in them.
type Heat struct {
	Title  string
	X, Y   Axis // Log is of no effect: the cells have one size
	Cell   Axis // what the values are; with Log the shades are by their logarithm
	Xs, Ys []float64
	Values [][]float64 // Values[i][k] is that of Ys[i] and Xs[k]; NaN for none
}

// Save draws the picture into an SVG or PNG file, see [CheckPath].
func (h Heat) Save(path string) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	if err := h.check(); err != nil {
		return fmt.Errorf("drawing %s: %w", path, err)
	}
	p := newPlot()
	p.X.Min, p.X.Max = -0.5, float64(len(h.Xs))-0.5
	p.Y.Min, p.Y.Max = -0.5, float64(len(h.Ys))-0.5
	p.X.Padding, p.Y.Padding = 0, 0
	p.X.Tick.Length, p.Y.Tick.Length = 3, 3
	p.X.Tick.Marker, p.Y.Tick.Marker = cellTicks(h.X.Unit, h.Xs), cellTicks(h.Y.Unit, h.Ys)
	p.Add(plotFunc(h.plot))
	// Rows of about the height of a line in a table, and no larger than the plot.
	const row = 26
	return figure{
		title: h.Title, note: h.Cell.Label, plot: p, x: h.X.Label, y: h.Y.Label,
		height: min(vg.Length(len(h.Ys)+2)*row, 2*plotHeight),
	}.save(path)
}

// The most columns and rows that have room for figures.
const (
	mostColumns = 16
	mostRows    = 40
)

func (h Heat) check() error {
	if len(h.Xs) == 0 || len(h.Ys) == 0 {
		return errors.New("no cells")
	}
	if len(h.Xs) > mostColumns || len(h.Ys) > mostRows {
		return fmt.Errorf("%d columns and %d rows; at most %d and %d can be read", len(h.Xs), len(h.Ys), mostColumns, mostRows)
	}
	if len(h.Values) != len(h.Ys) {
		return fmt.Errorf("%d rows for %d values along y", len(h.Values), len(h.Ys))
	}
	some := false
	for i, row := range h.Values {
		if len(row) != len(h.Xs) {
			return fmt.Errorf("row %d has %d cells for %d values along x", i, len(row), len(h.Xs))
		}
		for _, v := range row {
			if math.IsNaN(v) {
				continue
			}
			some = true
			if err := h.Cell.check(fmt.Sprintf("row %d", i), v); err != nil {
				return err
			}
		}
	}
	if !some {
		return errors.New("all cells are empty")
	}
	return nil
}

func cellTicks(u Unit, values []float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for i, v := range values {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: u.format(v)})
	}
	return ticks
}

// plot draws the cells.
func (h Heat) plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	darkness := h.darkness()
	s := style(legendSize, text.XCenter, text.YCenter)
	for _, row := range h.Values {
		for _, v := range row {
			for s.Font.Size > 6 && s.Width(h.Cell.Unit.formatExact(v)) > x(1)-x(0)-4 {
				s.Font.Size -= 0.5
			}
		}
	}
	for i, row := range h.Values {
		for k, v := range row {
			low := vg.Point{X: x(float64(k) - 0.5), Y: y(float64(i) - 0.5)}
			high := vg.Point{X: x(float64(k) + 0.5), Y: y(float64(i) + 0.5)}
			corners := []vg.Point{low, {X: high.X, Y: low.Y}, high, {X: low.X, Y: high.Y}}
			figure, dark, fill := "–", 0.0, color.Color(color.White)
			if !math.IsNaN(v) {
				figure, dark = h.Cell.Unit.formatExact(v), darkness(v)
				fill = shade(dark)
			}
			c.FillPolygon(fill, corners)
			c.StrokeLines(draw.LineStyle{Color: color.White, Width: 1}, append(corners, corners[0]))
			s.Color = color.Black
			if dark > 0.55 {
				s.Color = color.White
			}
			c.FillText(s, vg.Point{X: x(float64(k)), Y: y(float64(i))}, figure)
		}
	}
}

// darkness returns what makes 0 to 1 of values.
func (h Heat) darkness() func(float64) float64 {
	scale := func(v float64) float64 { return v }
	if h.Cell.Log {
		scale = math.Log
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range h.Values {
		for _, v := range row {
			if !math.IsNaN(v) {
				low, high = min(low, scale(v)), max(high, scale(v))
			}
		}
	}
	if low == high {
		return func(float64) float64 { return 0 }
	}
	return func(v float64) float64 { return (scale(v) - low) / (high - low) }
}

// shade is a colour that is as dark in print.
func shade(dark float64) color.Color {
	mix := func(light, full float64) uint8 { return uint8(math.Round(light + (full-light)*dark)) }
	return color.RGBA{R: mix(0xf2, 0x0d), G: mix(0xf5, 0x2f), B: mix(0xfa, 0x66), A: 0xff}
}
