package chart

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars shows a value of each group under each scheduler: the groups along x, in
// each a bar a series.
type Bars struct {
	Title  string
	X      string // what the groups are, "" for nothing
	Y      Axis   // bars begin at 0, or below the least of all where it is logarithmic
	Groups []string
	Series []BarSeries
	Marks  string // what the marks are: "in the paper"
}

// BarSeries has a bar in each group.
type BarSeries struct {
	Name   string
	Values []float64 // by group; NaN for no bar
	// Marks are short lines across the bars, to compare them with something; by
	// group, NaN for none. It may be nil.
	Marks []float64
}

// Save draws the picture into an SVG or PNG file, see [CheckPath].
func (b Bars) Save(path string) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return fmt.Errorf("drawing %s: %w", path, err)
	}
	p := newPlot()
	addGrid(p, false)
	f := figure{title: b.Title, plot: p, x: b.X, y: b.Y.text()}
	drawn := bars{Bars: b, looks: assign(b.names())}
	for i, s := range b.Series {
		f.legend = append(f.legend, entry{s.Name, func(c draw.Canvas) { drawn.looks[i].drawArea(c, c.Rectangle) }})
	}
	if marked(b.Series) {
		f.legend = append(f.legend, entry{b.Marks, func(c draw.Canvas) {
			drawMark(c, c.Min.X+6, c.Max.X-6, c.Center().Y)
		}})
	}
	p.X.Min, p.X.Max = -0.5, float64(len(b.Groups))-0.5
	p.X.Padding, p.Y.Padding = 0, 0
	p.X.Tick.Length, p.X.Tick.Color = 4, color.White // room between names and bars
	p.Y.Min, p.Y.Max = drawn.rangeY()
	b.Y.apply(&p.Y)
	p.X.Tick.Marker = groupTicks(b.Groups, &p.X.Tick.Label)
	p.Add(drawn)
	return f.save(path)
}

func (b Bars) names() []string {
	var names []string
	for _, s := range b.Series {
		names = append(names, s.Name)
	}
	return names
}

func (b Bars) check() error {
	if err := checkNames(b.names()); err != nil {
		return err
	}
	if len(b.Groups) == 0 {
		return errors.New("no groups")
	}
	var some bool
	for _, s := range b.Series {
		if len(s.Values) != len(b.Groups) || s.Marks != nil && len(s.Marks) != len(b.Groups) {
			return fmt.Errorf("series %s: %d values and %d marks for %d groups", s.Name, len(s.Values), len(s.Marks), len(b.Groups))
		}
		for _, values := range [][]float64{s.Values, s.Marks} {
			for _, v := range values {
				if math.IsNaN(v) {
					continue
				}
				some = true
				if err := b.Y.check("series "+s.Name, v); err != nil {
					return err
				}
			}
		}
	}
	if !some {
		return errors.New("all series are empty")
	}
	if marked(b.Series) && b.Marks == "" {
		return errors.New("it is not said what the marks are")
	}
	return nil
}

func marked(series []BarSeries) bool {
	for _, s := range series {
		for _, v := range s.Marks {
			if !math.IsNaN(v) {
				return true
			}
		}
	}
	return false
}

// groupTicks puts the groups' names along the axis, in several lines where they
// are long, and upright where a word is too long for that.
func groupTicks(groups []string, style *text.Style) plot.ConstantTicks {
	const room = 420 // of figureWidth, beside the labels of y
	width := room/vg.Length(len(groups)) - 6
	var level, upright plot.ConstantTicks
	fit, most := true, 0
	for i, name := range groups {
		lines := wrap(*style, name, width)
		most = max(most, len(lines))
		for _, line := range lines {
			fit = fit && style.Width(line) <= width
		}
		level = append(level, plot.Tick{Value: float64(i), Label: strings.Join(lines, "\n")})
		upright = append(upright, plot.Tick{Value: float64(i), Label: name})
	}
	for i := range level {
		// Names of fewer lines would be centred beside the others.
		level[i].Label += strings.Repeat("\n ", most-1-strings.Count(level[i].Label, "\n"))
	}
	if fit {
		return level
	}
	style.Rotation = math.Pi / 2
	style.XAlign, style.YAlign = text.XRight, text.YCenter
	return upright
}

// bars draws the bars.
type bars struct {
	Bars
	looks []look
}

const (
	groupShare = 0.84 // of a group's room is for bars, the rest between groups
	valueSize  = 8    // of the figures on the bars
)

// rangeY is the range of all bars and marks, with room for the figures on them.
func (b bars) rangeY() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, s := range b.Series {
		for _, values := range [][]float64{s.Values, s.Marks} {
			for _, v := range values {
				if !math.IsNaN(v) {
					low, high = min(low, v), max(high, v)
				}
			}
		}
	}
	const room = 0.14
	if b.Y.Log {
		// A bar of no length would be missed.
		low *= 0.8
		return low, high * math.Pow(high/low, room)
	}
	low, high = min(low, 0), max(high, 0)
	if low == high {
		return 0, 1
	}
	span := high - low
	if low < 0 {
		low -= room * span
	}
	if high > 0 {
		high += room * span
	}
	return low, high
}

// Plot implements [plot.Plotter].
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	width := (x(1) - x(0)) * groupShare / vg.Length(len(b.Series))
	base := c.Min.Y
	if !b.Y.Log {
		base = y(0)
	}
	figures, fit := b.figures(width)
	for g := range b.Groups {
		left := x(float64(g)) - width*vg.Length(len(b.Series))/2
		for i, s := range b.Series {
			l := left + vg.Length(i)*width
			gap := min(width/10, 1.5)
			end := base
			if v := s.Values[g]; !math.IsNaN(v) {
				end = y(v)
				b.looks[i].drawArea(c, vg.Rectangle{
					Min: vg.Point{X: l + gap, Y: min(base, end)}, Max: vg.Point{X: l + width - gap, Y: max(base, end)},
				})
			}
			markAt := end
			if s.Marks != nil && !math.IsNaN(s.Marks[g]) {
				markAt = y(s.Marks[g])
				drawMark(c, l, l+width, markAt)
			}
			if fit && !math.IsNaN(s.Values[g]) {
				drawFigure(c, figures, l+width/2, end, markAt, s.Values[g] < 0, b.Y.Unit.formatExact(s.Values[g]))
			}
		}
	}
	c.StrokeLine2(draw.LineStyle{Color: color.Black, Width: 0.8}, c.Min.X, base, c.Max.X, base)
}

// figures is the style of the figures on bars of a width: level if they all fit,
// else upright if there is room for that.
func (b bars) figures(width vg.Length) (s text.Style, fit bool) {
	s = style(valueSize, text.XCenter, text.YBottom)
	for _, series := range b.Series {
		for _, v := range series.Values {
			if !math.IsNaN(v) && s.Width(b.Y.Unit.formatExact(v)) > width {
				s.Rotation = math.Pi / 2
				s.XAlign, s.YAlign = text.XLeft, text.YCenter
			}
		}
	}
	return s, s.Rotation == 0 || width >= valueSize*0.9
}

// drawFigure writes a value at the end of its bar, and beyond a mark that would
// be in the way.
func drawFigure(c draw.Canvas, s text.Style, x, end, mark vg.Length, below bool, figure string) {
	const gap = 3
	extents := s.FontExtents()
	long := extents.Ascent
	if s.Rotation != 0 {
		long = s.Width(figure)
		x += extents.Ascent / 2 // turned, the base line is to the right
	}
	s.YAlign = text.YBottom
	at := vg.Point{X: x, Y: end + gap}
	switch {
	case below && mark < end+gap && mark > end-long-2*gap:
		at.Y = mark - gap - long
	case below:
		at.Y = end - gap - long
	case mark > end-gap && mark < end+long+2*gap:
		at.Y = mark + gap
	}
	c.FillText(s, at, figure)
}

// drawMark draws a short line that shows on white, black and hatching.
func drawMark(c draw.Canvas, x0, x1, y vg.Length) {
	c.StrokeLine2(draw.LineStyle{Color: color.White, Width: 4}, x0, y, x1, y)
	c.StrokeLine2(draw.LineStyle{Color: color.Black, Width: 2}, x0, y, x1, y)
}
