package chart

import (
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A look is how a series is drawn.
type look struct {
	color  color.RGBA
	width  vg.Length
	dashes []vg.Length // nil: solid
	marker marker
	hatch  hatch
}

// looks differ in dashes, widths, markers and hatching, and in how dark they
// are, for print. That of ALPS is broad and that of SRPT, the ideal, is thin, so
// that both show where they lie on each other.
var looks = [...]look{
	{rgb(0x000000), 1.1, []vg.Length{1.2, 2}, circle, hatch{}},
	{rgb(0x3f7dd2), 3, nil, square.filled(), hatch{solid: true}},
	{rgb(0xc0392b), 1.6, []vg.Length{6, 3}, triangle, hatch{angles: []float64{45}}},
	{rgb(0xa6a6a6), 2, nil, diamond, hatch{solid: true}},
	{rgb(0xe08e0b), 1.6, []vg.Length{9, 2.5, 2, 2.5}, cross, hatch{angles: []float64{90}}},
	{rgb(0x7a1f5c), 1.6, []vg.Length{3, 2}, wedge.filled(), hatch{angles: []float64{-45}}},
	{rgb(0x1a8a5a), 2.2, []vg.Length{12, 4}, plus, hatch{angles: []float64{0}}},
	{rgb(0x9b6fd0), 1.2, []vg.Length{10, 2}, circle.filled(), hatch{angles: []float64{45, -45}}},
	{rgb(0x6b4a1f), 1.6, []vg.Length{6, 2, 1.2, 2, 1.2, 2}, square, hatch{angles: []float64{0, 90}}},
	{rgb(0x0d3b66), 1.6, []vg.Length{2, 4}, diamond.filled(), hatch{solid: true}},
}

// lookOf is the look of a scheduler that is known by name.
var lookOf = map[string]int{
	"srpt": 0, "alps": 1, "cfs": 2, "fifo": 3, "rr": 4, "eevdf": 5, "linux": 5, "sfs": 6, "gittins": 7,
}

// assign gives each series a look of its own.
func assign(names []string) []look {
	picked := make([]int, len(names))
	var used [len(looks)]bool
	for i, name := range names {
		picked[i] = -1
		word := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune(" ,:(", r) })
		if len(word) == 0 {
			continue
		}
		if n, known := lookOf[word[0]]; known && !used[n] {
			picked[i], used[n] = n, true
		}
	}
	result := make([]look, len(names))
	// The first looks are left to those that have them by name, if possible.
	next := 2
	for i, n := range picked {
		for ; n < 0; next++ {
			if k := next % len(looks); !used[k] {
				n, used[k] = k, true
			}
		}
		result[i] = looks[n]
	}
	return result
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xff}
}

func (l look) line() draw.LineStyle {
	return draw.LineStyle{Color: l.color, Width: l.width, Dashes: l.dashes}
}

// A marker is a shape around 0, 0, within about 1 of it.
type marker struct {
	points []vg.Point
	fill   bool
	strike bool // each two points are a line
}

var (
	circle   = marker{points: polygon(24, 0, 0.95)}
	square   = marker{points: polygon(4, 45, 1.2)}
	diamond  = marker{points: polygon(4, 0, 1.25)}
	triangle = marker{points: polygon(3, 90, 1.25)}
	wedge    = marker{points: polygon(3, -90, 1.25)}
	plus     = marker{points: []vg.Point{{X: -1.2}, {X: 1.2}, {Y: -1.2}, {Y: 1.2}}, strike: true}
	cross    = marker{points: []vg.Point{{X: -1, Y: -1}, {X: 1, Y: 1}, {X: -1, Y: 1}, {X: 1, Y: -1}}, strike: true}
)

func polygon(n int, firstDegrees, radius float64) []vg.Point {
	var points []vg.Point
	for i := range n {
		sin, cos := math.Sincos((firstDegrees + 360*float64(i)/float64(n)) * math.Pi / 180)
		points = append(points, vg.Point{X: vg.Length(radius * cos), Y: vg.Length(radius * sin)})
	}
	return points
}

func (m marker) filled() marker { m.fill = true; return m }

// drawMarker draws a series' marker, with white around or in it so that it stands
// out of the line that it is on.
func (l look) drawMarker(c draw.Canvas, at vg.Point) {
	// Where two are at one place, the larger one shows under the smaller.
	radius := 2.4 + 0.6*l.width
	var points []vg.Point
	for _, p := range l.marker.points {
		points = append(points, at.Add(p.Scale(radius)))
	}
	outline := draw.LineStyle{Color: l.color, Width: 1.1}
	halo := draw.LineStyle{Color: color.White, Width: 3}
	if l.marker.strike {
		for _, style := range []draw.LineStyle{halo, outline} {
			c.StrokeLines(style, points[:2], points[2:])
		}
		return
	}
	inner := color.Color(color.White)
	if l.marker.fill {
		inner = l.color
	}
	closed := append(points, points[0], points[1])
	c.StrokeLines(halo, closed)
	c.FillPolygon(inner, points)
	c.StrokeLines(outline, closed)
}

// A hatch is how areas are filled: all, with lines at angles in degrees, or not
// at all.
type hatch struct {
	solid  bool
	angles []float64
}

// drawArea fills a rectangle in the way of a series.
func (l look) drawArea(c draw.Canvas, r vg.Rectangle) {
	corners := []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}}
	fill := color.Color(color.White)
	if l.hatch.solid {
		fill = l.color
	}
	c.FillPolygon(fill, corners)
	const spacing = 3.5
	within := draw.Canvas{Canvas: c.Canvas, Rectangle: r}
	reach := r.Size().X + r.Size().Y
	for _, angle := range l.hatch.angles {
		sin, cos := math.Sincos(angle * math.Pi / 180)
		along := vg.Point{X: vg.Length(cos), Y: vg.Length(sin)}.Scale(reach)
		for d := -reach; d <= reach; d += spacing {
			mid := vg.Point{X: r.Min.X - d*vg.Length(sin), Y: r.Min.Y + d*vg.Length(cos)}
			line := []vg.Point{mid.Sub(along), mid.Add(along)}
			c.StrokeLines(draw.LineStyle{Color: l.color, Width: 1}, within.ClipLinesXY(line)...)
		}
	}
	edge := l.color
	if l.hatch.solid {
		edge = color.RGBA{A: 0xff}
	}
	c.StrokeLines(draw.LineStyle{Color: edge, Width: 0.8}, append(corners, corners[0]))
}
