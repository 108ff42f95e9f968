package chart

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	figureWidth = 18 * vg.Centimeter
	plotHeight  = 9.6 * vg.Centimeter // with the axes' labels, without what is above
	margin      = 8 * vg.Length(1)

	titleSize  = 12
	labelSize  = 11
	legendSize = 10.5
)

// A figure is a plot with a title and a legend above it. gonum's own legend is
// inside the plot, on top of the data.
type figure struct {
	title  string
	note   string // under the title, smaller; "" for none
	legend []entry
	plot   *plot.Plot
	x, y   string    // the axes' labels; gonum's own make it leave room where none is needed
	height vg.Length // of the plot; 0: plotHeight
}

// An entry is one of a legend.
type entry struct {
	text   string
	sample func(draw.Canvas) // draws what it looks like into the whole canvas
}

// newPlot returns a plot in the project's fonts.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.X.Tick.Label.Font, p.Y.Tick.Label.Font = sans(10), sans(10)
	return p
}

// addGrid adds lines at the ticks; they must lie under the data.
func addGrid(p *plot.Plot, vertical bool) {
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{Y: 0xd8}, color.Gray{Y: 0xd8}
	if !vertical {
		grid.Vertical.Color = nil
	}
	p.Add(grid)
}

func sans(size vg.Length) font.Font {
	return font.Font{Typeface: plot.DefaultFont.Typeface, Variant: "Sans", Size: size}
}

// style is one of text that stands by itself.
func style(size vg.Length, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{Color: color.Black, Font: sans(size), XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
}

// checkNames refuses what no picture can show.
func checkNames(names []string) error {
	if len(names) == 0 {
		return errors.New("no series")
	}
	if len(names) > len(looks) {
		return fmt.Errorf("%d series; more than %d cannot be told apart", len(names), len(looks))
	}
	for i, name := range names {
		if strings.TrimSpace(name) == "" {
			return fmt.Errorf("series %d has no name", i+1)
		}
	}
	return nil
}

// save draws the figure into a file.
func (f figure) save(path string) error {
	const gap = 6
	title, note := style(titleSize, text.XCenter, text.YTop), style(legendSize, text.XCenter, text.YTop)
	width := figureWidth - 2*margin
	lines := wrap(title, f.title, width)
	notes := wrap(note, f.note, width)
	legend := layOut(f.legend, width)

	height := f.height
	if height == 0 {
		height = plotHeight
	}
	above := vg.Length(len(lines))*lineHeight(title) + vg.Length(len(notes))*lineHeight(note) + gap
	if len(f.legend) > 0 {
		above += legend.height() + gap
	}
	height += above + 2*margin

	content, err := render(format(path), figureWidth, height, func(on vg.CanvasSizer) {
		c := draw.New(on)
		c.FillPolygon(color.White, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
		c = draw.Crop(c, margin, -margin, margin, -margin)
		for _, line := range lines {
			c.FillText(title, vg.Point{X: c.Center().X, Y: c.Max.Y}, line)
			c.Max.Y -= lineHeight(title)
		}
		for _, line := range notes {
			c.FillText(note, vg.Point{X: c.Center().X, Y: c.Max.Y}, line)
			c.Max.Y -= lineHeight(note)
		}
		c.Max.Y -= gap
		if len(f.legend) > 0 {
			legend.draw(c)
			c.Max.Y -= legend.height() + gap
		}
		f.drawPlot(c)
	})
	if err != nil {
		return fmt.Errorf("drawing %s: %w", path, err)
	}
	return writeWhole(path, content)
}

// drawPlot draws the plot and the labels of its axes.
func (f figure) drawPlot(c draw.Canvas) {
	x, y := style(labelSize, text.XCenter, text.YBottom), style(labelSize, text.XCenter, text.YTop)
	y.Rotation = math.Pi / 2
	const gap = 6
	inner := draw.Crop(c, lineHeight(y)+gap, 0, 0, 0)
	if f.x != "" {
		inner = draw.Crop(inner, 0, 0, lineHeight(x)+2, 0)
	}
	data := f.plot.DataCanvas(inner)
	c.FillText(x, vg.Point{X: data.Center().X, Y: c.Min.Y}, f.x)
	for y.Font.Size > legendSize/2 && style(y.Font.Size, y.XAlign, y.YAlign).Width(f.y) > c.Size().Y {
		y.Font.Size -= 0.5
	}
	c.FillText(y, vg.Point{X: c.Min.X, Y: data.Center().Y}, f.y)
	f.plot.Draw(inner)
}

func lineHeight(s text.Style) vg.Length { return s.Font.Size * 1.3 }

// wrap breaks a text into lines at its spaces.
func wrap(s text.Style, line string, width vg.Length) []string {
	var lines []string
	for _, word := range strings.Fields(line) {
		if n := len(lines); n > 0 && s.Width(lines[n-1]+" "+word) <= width {
			lines[n-1] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}

// A grid of legend entries, row by row.
type legendGrid struct {
	entries []entry
	columns int
	widths  []vg.Length // of the columns
}

const (
	sampleWidth = 30 * vg.Length(1)
	sampleGap   = 5
	columnGap   = 16
	legendRow   = 15 * vg.Length(1)
)

// layOut puts entries into as many columns as fit.
func layOut(entries []entry, width vg.Length) legendGrid {
	s := style(legendSize, text.XLeft, text.YCenter)
	for columns := len(entries); ; columns-- {
		g := legendGrid{entries: entries, columns: columns}
		if columns <= 0 {
			return g
		}
		// As even as the rows allow: 4 and 4, not 7 and 1.
		rows := (len(entries) + columns - 1) / columns
		g.columns = (len(entries) + rows - 1) / rows
		g.widths = make([]vg.Length, g.columns)
		for i, e := range entries {
			w := &g.widths[i%g.columns]
			*w = max(*w, sampleWidth+sampleGap+s.Width(e.text))
		}
		if columns == 1 || g.width() <= width {
			return g
		}
	}
}

func (g legendGrid) width() vg.Length {
	sum := columnGap * vg.Length(len(g.widths)-1)
	for _, w := range g.widths {
		sum += w
	}
	return sum
}

func (g legendGrid) height() vg.Length {
	return legendRow * vg.Length((len(g.entries)+g.columns-1)/g.columns)
}

// draw draws the legend into the top of a canvas.
func (g legendGrid) draw(c draw.Canvas) {
	s := style(legendSize, text.XLeft, text.YCenter)
	left := c.Center().X - g.width()/2
	x := left
	for i, e := range g.entries {
		column, row := i%g.columns, vg.Length(i/g.columns)
		if column == 0 {
			x = left
		}
		top := c.Max.Y - row*legendRow
		e.sample(draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x, Y: top - legendRow + 2}, Max: vg.Point{X: x + sampleWidth, Y: top - 2},
		}})
		// The middle of small letters, not that of the line, is level with the sample.
		c.FillText(s, vg.Point{X: x + sampleWidth + sampleGap, Y: top - legendRow/2 + 1}, e.text)
		x += g.widths[column] + columnGap
	}
}
