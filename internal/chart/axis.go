package chart

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// A Unit is that of the values along an axis.
type Unit int

const (
	Number Unit = iota // a plain number, such as a ratio
	Ns                 // a time in ns, shown as us, ms or s
	Share              // a part of 1, shown in percent
)

// An Axis says what is along it.
type Axis struct {
	Label string // without unit and without the word logarithmic
	Unit  Unit
	Log   bool // logarithmic; all values must be above 0
}

// text is the label with what a reader has to know about the scale.
func (a Axis) text() string {
	if a.Log {
		return a.Label + " (log scale)"
	}
	return a.Label
}

// check refuses what cannot be drawn along the axis.
func (a Axis) check(what string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%s: %v cannot be drawn", what, v)
	}
	if a.Log && v <= 0 {
		return fmt.Errorf("%s: %v has no place on a logarithmic scale", what, v)
	}
	return nil
}

// apply gives a plot's axis the scale and the ticks. The range must be known by
// then.
func (a Axis) apply(to *plot.Axis) {
	if to.Min == to.Max {
		// A single value is drawn in the middle.
		pad := math.Abs(to.Min) / 2
		if pad == 0 {
			pad = 1
		}
		to.Min, to.Max = to.Min-pad, to.Max+pad
	}
	if a.Log {
		to.Scale = plot.LogScale{}
		to.Tick.Marker = plot.TickerFunc(a.Unit.logTicks)
		return
	}
	to.Tick.Marker = plot.TickerFunc(a.Unit.ticks)
}

// format is a value for people, with its unit, in three digits or more, zeros at
// the end left out.
func (u Unit) format(v float64) string { return u.write(v, short) }

// formatExact keeps the zeros, for figures that are compared with each other.
func (u Unit) formatExact(v float64) string {
	if u == Share {
		return u.write(v, func(pct float64) string { return strconv.FormatFloat(pct, 'f', 1, 64) })
	}
	return u.write(v, digits)
}

func (u Unit) write(v float64, digits func(float64) string) string {
	// What would be rounded to 1000 of a unit is 1 of the next.
	const almost = 0.9995
	switch {
	case v < 0:
		return minus + u.write(-v, digits)
	case u == Share:
		return digits(v*100) + " %"
	case u == Number:
		return digits(v)
	case v >= almost*1e9:
		return digits(v/1e9) + " s"
	case v >= almost*1e6:
		return digits(v/1e6) + " ms"
	case v >= almost*1e3 || v == 0:
		return digits(v/1e3) + " µs"
	}
	return digits(v) + " ns"
}

// minus is as wide as a plus.
const minus = "−"

// digits is a number in three digits or more, without an exponent where people
// would write none.
func digits(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 1e9 || v < 1e-4:
		return strconv.FormatFloat(v, 'g', 3, 64)
	case v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	// The digits after the point that make three in all, once rounded.
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	return strconv.FormatFloat(rounded, 'f', 2-int(math.Floor(math.Log10(rounded)+1e-9)), 64)
}

// short is a number in three digits at most of which the last is no zero after
// the point.
func short(v float64) string {
	s := digits(v)
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// Labels along a logarithmic axis: about as many as find room.
const mostDecades = 10

// logTicks marks 1, 10, 100 and so on, and what is between without labels; where
// the range has few of those, some between have labels too.
func (u Unit) logTicks(min, max float64) []plot.Tick {
	if max/min < 2 {
		return u.ticks(min, max)
	}
	first, last := math.Floor(math.Log10(min)), math.Ceil(math.Log10(max))
	every := math.Ceil((last - first) / mostDecades)
	range10 := math.Log10(max / min)
	var ticks []plot.Tick
	for decade := first; decade <= last; decade++ {
		for i := 1.0; i < 10; i++ {
			t := plot.Tick{Value: i * math.Pow(10, decade)}
			if u == Share && t.Value > 1 {
				break
			}
			if i == 1 && math.Mod(decade-first, every) == 0 || range10 < 1.8 && (i == 2 || i == 5) || range10 < 0.8 {
				t.Label = u.format(t.Value)
			}
			if t.Value >= min && t.Value <= max {
				ticks = append(ticks, t)
			}
		}
	}
	return ticks
}

// ticks marks multiples of 1, 2 or 5 times a power of ten.
func (u Unit) ticks(min, max float64) []plot.Tick {
	// At most as many steps as this, at least two fifths of it.
	const steps = 6
	step := math.Pow(10, math.Floor(math.Log10((max-min)/steps)))
	for _, factor := range []float64{2, 2.5, 2} { // 2, 5, 10
		if (max-min)/step <= steps {
			break
		}
		step *= factor
	}
	// All labels have one unit, and as many decimals as the step.
	scale, suffix := 1.0, ""
	switch large := math.Max(math.Abs(min), math.Abs(max)); {
	case u == Share:
		scale, suffix = 0.01, " %"
	case u == Ns && large >= 1e9:
		scale, suffix = 1e9, " s"
	case u == Ns && large >= 1e6:
		scale, suffix = 1e6, " ms"
	case u == Ns:
		scale, suffix = 1e3, " µs"
	}
	decimals := int(math.Max(0, -math.Floor(math.Log10(step/scale)+1e-9)))
	var ticks []plot.Tick
	for i := math.Ceil(min/step - 1e-9); i*step <= max+step*1e-9; i++ {
		// No −0, and no value beyond the range by rounding.
		v := math.Min(math.Max(i*step, min), max) + 0
		label := strconv.FormatFloat(math.Abs(v)/scale, 'f', decimals, 64) + suffix
		if v < 0 {
			label = minus + label
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: label})
	}
	return ticks
}

// quarters marks shares so that the median has its line.
func quarters(_, _ float64) []plot.Tick {
	var ticks []plot.Tick
	for pct := 0; pct <= 100; pct += 25 {
		ticks = append(ticks, plot.Tick{Value: float64(pct) / 100, Label: fmt.Sprintf("%d %%", pct)})
	}
	return ticks
}
