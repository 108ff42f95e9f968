package chart

import (
	"fmt"
	"slices"

	"gonum.org/v1/plot/plotter"
)

// Lines shows how something depends on a parameter, with a marker at each value
// and straight lines between.
type Lines struct {
	Title  string
	X, Y   Axis
	Series []XYSeries
}

// XYSeries is a line: Y[i] at X[i], from left to right.
type XYSeries struct {
	Name string
	X, Y []float64
}

// Save draws the picture into an SVG or PNG file, see [CheckPath].
func (l Lines) Save(path string) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	if err := l.check(); err != nil {
		return fmt.Errorf("drawing %s: %w", path, err)
	}
	p := newPlot()
	addGrid(p, true)
	f := figure{title: l.Title, plot: p, x: l.X.text(), y: l.Y.text()}
	var lines []*line
	for i, look := range assign(l.names()) {
		s := l.Series[i]
		drawn := &line{look: look, atEach: true}
		for k := range s.X {
			drawn.points = append(drawn.points, plotter.XY{X: s.X[k], Y: s.Y[k]})
		}
		lines = append(lines, drawn)
		f.legend = append(f.legend, entry{s.Name, drawn.sample})
	}
	addLines(p, lines)
	l.X.apply(&p.X)
	l.Y.apply(&p.Y)
	return f.save(path)
}

func (l Lines) names() []string {
	var names []string
	for _, s := range l.Series {
		names = append(names, s.Name)
	}
	return names
}

func (l Lines) check() error {
	if err := checkNames(l.names()); err != nil {
		return err
	}
	for _, s := range l.Series {
		if len(s.X) == 0 {
			return fmt.Errorf("series %s is empty", s.Name)
		}
		if len(s.X) != len(s.Y) {
			return fmt.Errorf("series %s: %d values along x and %d along y", s.Name, len(s.X), len(s.Y))
		}
		if !slices.IsSorted(s.X) {
			return fmt.Errorf("series %s: its values along x do not ascend", s.Name)
		}
		for i := range s.X {
			if err := l.X.check("series "+s.Name, s.X[i]); err != nil {
				return err
			}
			if err := l.Y.check("series "+s.Name, s.Y[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
