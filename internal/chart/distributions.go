package chart

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Distributions shows the share of invocations that took no longer than a time,
// or had no more of something else, a curve a scheduler. The legend has the
// means, the smallest first.
type Distributions struct {
	Title  string
	X      Axis // always logarithmic; times below 1 us are drawn there
	Curves []Curve
}

// Save draws the picture into an SVG or PNG file, see [CheckPath].
func (d Distributions) Save(path string) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	var names []string
	for _, c := range d.Curves {
		names = append(names, c.name)
	}
	if err := checkNames(names); err != nil {
		return fmt.Errorf("drawing %s: %w", path, err)
	}
	limit, err := d.limit()
	if err != nil {
		return fmt.Errorf("drawing %s: %w", path, err)
	}

	d.X.Log = true
	p := newPlot()
	addGrid(p, true)
	p.Y.Min, p.Y.Max = 0, 1
	lines := make([]*line, len(d.Curves))
	f := figure{title: d.Title, plot: p, x: d.X.text(), y: "share of invocations with no more"}
	if d.X.Unit == Ns {
		f.y = "share of invocations that took no longer"
	}
	for rank, i := range byMean(d.Curves) {
		c := d.Curves[i]
		lines[rank] = &line{points: c.above(limit), look: assign(names)[i]}
		if len(d.Curves) > 3 {
			lines[rank].markers = spread(rank, len(d.Curves))
		}
		f.legend = append(f.legend, entry{
			text:   fmt.Sprintf("%s (mean %s)", c.name, d.X.Unit.format(c.mean)),
			sample: lines[rank].sample,
		})
	}
	addLines(p, lines)
	d.X.apply(&p.X)
	p.Y.Tick.Marker = plot.TickerFunc(quarters)
	return f.save(path)
}

// limit is the smallest value that is drawn where it is.
func (d Distributions) limit() (float64, error) {
	limit := math.Inf(1)
	for _, c := range d.Curves {
		if err := c.check(); err != nil {
			return 0, err
		}
		for _, p := range c.points {
			if p.X > 0 {
				limit = min(limit, p.X)
			}
		}
	}
	if math.IsInf(limit, 1) {
		return 0, errors.New("no value is above 0")
	}
	if d.X.Unit == Ns {
		limit = max(limit, 1000)
	}
	return limit, nil
}

// A line is a series in a plot of lines.
type line struct {
	points plotter.XYs
	look   look
	// markers says where along the line, of the given length in points, markers
	// are; nil for none.
	markers func(length vg.Length) []vg.Length
	atEach  bool // a marker at each point instead
}

// addLines adds lines so that those on each other are all visible: those without
// gaps first, the broad ones before the thin ones; then all markers.
func addLines(p *plot.Plot, lines []*line) {
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b *line) int {
		return cmp.Or(cmp.Compare(min(len(a.look.dashes), 1), min(len(b.look.dashes), 1)), cmp.Compare(b.look.width, a.look.width))
	})
	for _, l := range lines {
		p.Add(l)
	}
	for _, l := range lines {
		p.Add(plotFunc(l.drawMarkers))
	}
}

type plotFunc func(draw.Canvas, *plot.Plot)

// Plot implements [plot.Plotter].
func (f plotFunc) Plot(c draw.Canvas, p *plot.Plot) { f(c, p) }

// DataRange implements [plot.DataRanger].
func (l *line) DataRange() (xmin, xmax, ymin, ymax float64) { return plotter.XYRange(l.points) }

// Plot implements [plot.Plotter].
func (l *line) Plot(c draw.Canvas, p *plot.Plot) {
	c.StrokeLines(l.look.line(), l.on(c, p))
}

// on returns the line's points on a canvas.
func (l *line) on(c draw.Canvas, p *plot.Plot) []vg.Point {
	x, y := p.Transforms(&c)
	var points []vg.Point
	for _, at := range l.points {
		points = append(points, vg.Point{X: x(at.X), Y: y(at.Y)})
	}
	return points
}

func (l *line) drawMarkers(c draw.Canvas, p *plot.Plot) {
	points := l.on(c, p)
	if l.atEach {
		for _, at := range points {
			l.look.drawMarker(c, at)
		}
		return
	}
	if l.markers == nil {
		return
	}
	var length vg.Length
	for i := 1; i < len(points); i++ {
		length += distance(points[i-1], points[i])
	}
	places := l.markers(length)
	var done vg.Length
	for i := 1; i < len(points) && len(places) > 0; i++ {
		d := distance(points[i-1], points[i])
		for len(places) > 0 && places[0] <= done+d {
			part := float64((places[0] - done) / max(d, 1e-9))
			l.look.drawMarker(c, points[i-1].Add(points[i].Sub(points[i-1]).Scale(vg.Length(part))))
			places = places[1:]
		}
		done += d
	}
}

func distance(a, b vg.Point) vg.Length {
	return vg.Length(math.Hypot(float64(b.X-a.X), float64(b.Y-a.Y)))
}

// spread places markers along a line so that those of lines on each other do not
// cover each other.
func spread(index, of int) func(vg.Length) []vg.Length {
	return func(length vg.Length) []vg.Length {
		const apart = 110 // points, about
		n := max(1, int(math.Round(float64(length)/apart)))
		var places []vg.Length
		for i := range n {
			share := (float64(i) + (float64(index)+0.5)/float64(of)) / float64(n)
			places = append(places, length*vg.Length(share))
		}
		return places
	}
}

// sample draws the line and its marker into a legend.
func (l *line) sample(c draw.Canvas) {
	y := c.Center().Y
	c.StrokeLine2(l.look.line(), c.Min.X, y, c.Max.X, y)
	if l.markers != nil || l.atEach {
		l.look.drawMarker(c, c.Center())
	}
}
