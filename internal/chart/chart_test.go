package chart

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A picture is any of the package's.
type picture interface{ Save(path string) error }

// The schedulers that are compared most.
var eight = []string{"srpt", "fifo", "rr", "cfs", "eevdf", "sfs", "alps", "gittins"}

func distributions() Distributions {
	d := Distributions{Title: "Turnaround & more", X: Axis{Label: "turnaround", Unit: Ns}}
	for i, name := range eight {
		d.Curves = append(d.Curves, NewCurve(name, []int64{int64(9-i) * 10e6, 900e6, int64(20-i) * 1e9}))
	}
	return d
}

func barChart() Bars {
	b := Bars{Title: "Slowdown", X: "functions", Y: Axis{Label: "mean slowdown", Log: true}, Groups: []string{"short", "long", "all"}, Marks: "in the paper"}
	for i, name := range eight {
		v := 1.05 + float64(i)
		b.Series = append(b.Series, BarSeries{Name: name, Values: []float64{v, math.NaN(), v * 1.5}, Marks: []float64{math.NaN(), 3, v}})
	}
	return b
}

func lineChart() Lines {
	l := Lines{Title: "Error", X: Axis{Label: "error of predictions", Unit: Share}, Y: Axis{Label: "over SRPT"}}
	for i, name := range eight {
		l.Series = append(l.Series, XYSeries{Name: name, X: []float64{0, 0.5, 1}, Y: []float64{1, 1.2, 1.3 + float64(i)}})
	}
	return l
}

func heatMap() Heat {
	return Heat{
		Title: "Sensitivity", X: Axis{Label: "windows"}, Y: Axis{Label: "shortest slice", Unit: Ns}, Cell: Axis{Label: "over SRPT"},
		Xs: []float64{1, 2, 4}, Ys: []float64{1e6, 20e6},
		Values: [][]float64{{1.2, 1.3, 1.25}, {2, math.NaN(), 3.5}},
	}
}

// svg draws a picture and returns its text.
func svg(t *testing.T, p picture) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.svg")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTexts(t *testing.T) {
	for name, c := range map[string]struct {
		picture picture
		texts   []string
	}{
		"distributions": {distributions(), []string{
			"Turnaround &amp; more", "turnaround (log scale)", "share of invocations that took no longer",
			"srpt (mean 7 s)", "alps (mean 4.98 s)", "gittins (mean 4.64 s)", "100 ms", "10 s", "50 %",
		}},
		"bars":  {barChart(), []string{"Slowdown", "functions", "mean slowdown (log scale)", "short", "all", "srpt", "gittins", "in the paper", "1.05", "12.1"}},
		"lines": {lineChart(), []string{"Error", "error of predictions", "over SRPT", "fifo", "eevdf", "40 %", "8"}},
		"heat":  {heatMap(), []string{"Sensitivity", "windows", "shortest slice", "over SRPT", "20 ms", "1.20", "3.50", "–"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := svg(t, c.picture)
			for _, want := range c.texts {
				if !strings.Contains(text, ">"+want+"<") {
					t.Errorf("%q is missing", want)
				}
			}
			if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Error("it has a place that is none")
			}
		})
	}
}

// A browser without Liberation Sans has to know what is as wide.
func TestFontFallback(t *testing.T) {
	text := svg(t, lineChart())
	if n, all := strings.Count(text, ",Arial,Helvetica,sans-serif;"), strings.Count(text, "<text"); n != all {
		t.Errorf("%d of %d texts name other fonts", n, all)
	}
}

func TestSortedByMean(t *testing.T) {
	text := svg(t, distributions()) // the series were given from the largest mean down
	last := -1
	for i := range eight {
		at := strings.Index(text, ">"+eight[len(eight)-1-i]+" (mean")
		if at < last {
			t.Errorf("%s is not in its place in the legend", eight[len(eight)-1-i])
		}
		last = at
	}
}

func TestDeterministic(t *testing.T) {
	dir := t.TempDir()
	for name, p := range map[string]picture{"d": distributions(), "b": barChart(), "l": lineChart(), "h": heatMap()} {
		for _, ext := range []string{".svg", ".PNG"} {
			var first []byte
			for range 2 {
				path := filepath.Join(dir, name+ext)
				if err := p.Save(path); err != nil {
					t.Fatal(err)
				}
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if first != nil && !bytes.Equal(first, content) {
					t.Errorf("%s: two pictures of the same differ", path)
				}
				first = content
			}
			if ext == ".PNG" {
				img, err := png.Decode(bytes.NewReader(first))
				if err != nil || img.Bounds().Dx() < 1300 {
					t.Errorf("%s: %v, %v", name, img.Bounds(), err)
				}
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 8 {
		t.Errorf("%d files and not 8 (%v): something is left over", len(entries), err)
	}
}

func TestCheckPath(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"p.svg": "", "p.png": "", "p.SVG": "",
		"p.txt": "must end in .svg or .png", "p": "must end in .svg or .png", "svg": "must end in .svg or .png", "p.svg.gz": "must end in .svg or .png",
		"none/p.svg": "no such file", "file/p.svg": "is not a directory",
	} {
		path := dir + "/" + path
		err := CheckPath(path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if saved := lineChart().Save(path); want != "" && (saved == nil || saved.Error() != err.Error()) {
			t.Errorf("saving %s: %v, want %v", path, saved, err)
		}
	}
}

// A picture that cannot be written leaves what was there, and nothing else.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.svg")
	if err := os.Mkdir(path, 0o755); err != nil { // in the way also of root
		t.Fatal(err)
	}
	if err := lineChart().Save(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || !entries[0].IsDir() {
		t.Errorf("%v, %v is left", entries, err)
	}
}

func TestUnwritableDir(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.WriteFile(filepath.Join(dir, "probe"), nil, 0o644) == nil {
		t.Skip("root may write everywhere")
	}
	if err := lineChart().Save(filepath.Join(dir, "p.svg")); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("%v", err)
	}
}

func TestRefused(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	bar := func(values, marks []float64, log bool) Bars {
		return Bars{Y: Axis{Log: log}, Groups: []string{"a", "b"}, Series: []BarSeries{{"x", values, marks}}}
	}
	xy := func(x, y []float64) Lines { return Lines{X: Axis{Log: true}, Series: []XYSeries{{"x", x, y}}} }
	cells := func(values ...[]float64) Heat { return Heat{Xs: []float64{1, 2}, Ys: []float64{1}, Values: values} }
	curve := func(values ...float64) Distributions {
		return Distributions{Curves: []Curve{NewCurve("a", []float64{1}), NewCurve("x", values)}}
	}
	for name, c := range map[string]struct {
		picture picture
		want    string
	}{
		"no curves":        {Distributions{}, "no series"},
		"empty curve":      {curve(), "series x is empty"},
		"NaN in a curve":   {curve(1, nan), "series x: a value is no number"},
		"below 0":          {curve(1, -1), "series x: -1 is below 0"},
		"only 0":           {Distributions{Curves: []Curve{NewCurve("x", []int64{0})}}, "no value is above 0"},
		"no name":          {Distributions{Curves: []Curve{NewCurve(" ", []int64{1})}}, "series 1 has no name"},
		"too many":         {Distributions{Curves: make([]Curve, 11)}, "11 series"},
		"no bars":          {Bars{Groups: []string{"a"}}, "no series"},
		"no groups":        {Bars{Series: []BarSeries{{Name: "x"}}}, "no groups"},
		"few bars":         {bar([]float64{1}, nil, false), "1 values"},
		"few marks":        {bar([]float64{1, 2}, []float64{1}, false), "1 marks"},
		"empty bars":       {bar([]float64{nan, nan}, nil, false), "all series are empty"},
		"infinite bar":     {bar([]float64{1, inf}, nil, false), "+Inf cannot be drawn"},
		"log bar at 0":     {bar([]float64{1, 0}, nil, true), "0 has no place on a logarithmic scale"},
		"nameless marks":   {bar([]float64{1, 2}, []float64{1, nan}, false), "what the marks are"},
		"no lines":         {Lines{}, "no series"},
		"empty line":       {xy(nil, nil), "series x is empty"},
		"lengths":          {xy([]float64{1, 2}, []float64{1}), "2 values along x and 1 along y"},
		"back":             {xy([]float64{2, 1}, []float64{1, 1}), "do not ascend"},
		"log line at 0":    {xy([]float64{0, 1}, []float64{1, 1}), "0 has no place"},
		"NaN in a line":    {xy([]float64{1, 2}, []float64{1, nan}), "NaN cannot be drawn"},
		"no cells":         {Heat{}, "no cells"},
		"rows":             {cells([]float64{1, 2}, []float64{1, 2}), "2 rows for 1"},
		"columns":          {cells([]float64{1}), "row 0 has 1 cells for 2"},
		"empty cells":      {cells([]float64{nan, nan}), "all cells are empty"},
		"infinite cell":    {cells([]float64{1, inf}), "+Inf cannot be drawn"},
		"too many columns": {Heat{Xs: make([]float64, 17), Ys: []float64{1}}, "17 columns"},
	} {
		path := filepath.Join(t.TempDir(), "p.svg")
		err := c.picture.Save(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "drawing "+path+": ") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: a file is there", name)
		}
	}
}

// Values that are all the same have no range of their own.
func TestNoRange(t *testing.T) {
	b := bars{Bars: Bars{Groups: []string{"a"}, Series: []BarSeries{{"x", []float64{0}, nil}}}}
	if low, high := b.rangeY(); low != 0 || high != 1 {
		t.Errorf("a bar of no height is drawn from %v to %v", low, high)
	}
	if dark := (Heat{Values: [][]float64{{5, 5}}}).darkness()(5); dark != 0 {
		t.Errorf("cells of one value are %v dark", dark)
	}
	axis := newPlot().X
	axis.Min, axis.Max = 0.5, 0.5
	if (Axis{Log: true}).apply(&axis); axis.Min <= 0 || axis.Max <= axis.Min {
		t.Errorf("an axis of one value goes from %v to %v", axis.Min, axis.Max)
	}
}

// What is at an edge of what can be drawn must not be a panic of gonum's.
func TestEdges(t *testing.T) {
	one := []float64{5}
	for name, p := range map[string]picture{
		"one value":   Distributions{X: Axis{Unit: Ns}, Curves: []Curve{NewCurve("a", []int64{7})}},
		"with 0":      Distributions{Curves: []Curve{NewCurve("a", []float64{0, 0, 2})}},
		"one bar":     Bars{Groups: []string{"a"}, Series: []BarSeries{{"x", []float64{0}, nil}}},
		"log bar":     Bars{Y: Axis{Log: true}, Groups: []string{"a"}, Series: []BarSeries{{"x", one, nil}}},
		"one point":   Lines{X: Axis{Log: true}, Y: Axis{Log: true, Unit: Share}, Series: []XYSeries{{"x", []float64{0.5}, []float64{0.5}}}},
		"at 0":        Lines{Series: []XYSeries{{"x", []float64{0}, []float64{0}}}},
		"level":       Lines{Series: []XYSeries{{"x", []float64{1, 2}, []float64{-3, -3}}}},
		"one cell":    Heat{Xs: one, Ys: one, Values: [][]float64{{-1}}},
		"no title":    Lines{Series: []XYSeries{{"x", []float64{1, 2}, []float64{1, 2}}}},
		"a long name": Lines{Title: strings.Repeat("long ", 60), Series: []XYSeries{{strings.Repeat("w", 300), []float64{1, 2}, []float64{1, 2}}}},
	} {
		if text := svg(t, p); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: it has a place that is none", name)
		}
	}
}
