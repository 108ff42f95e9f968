package chart

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestAssign(t *testing.T) {
	known := assign([]string{"SRPT, the ideal", "Linux 7.3.4", "ALPS"})
	for i, n := range []int{0, 5, 1} {
		if !reflect.DeepEqual(known[i], looks[n]) {
			t.Errorf("series %d does not look as look %d", i, n)
		}
	}
	// All are different, whatever the names.
	var names []string
	for i := range looks {
		names = append(names, []string{"alps", "alps, no history", fmt.Sprint("other ", i)}[min(i, 2)])
	}
	for _, names := range [][]string{names, eight, {"eevdf", "linux 7"}, {"a"}} {
		got := assign(names)
		for i := range got {
			for k := range i {
				if reflect.DeepEqual(got[i], got[k]) {
					t.Errorf("%s looks as %s", names[i], names[k])
				}
			}
		}
	}
}

// In print, what is left of a look is dashes and width for lines, the marker,
// and hatching or how dark it is for areas.
func TestLooksDifferInGray(t *testing.T) {
	for i, a := range looks {
		for k, b := range looks[:i] {
			if reflect.DeepEqual(a.dashes, b.dashes) && math.Abs(float64(a.width-b.width)) < 0.9 {
				t.Errorf("lines %d and %d are the same", i, k)
			}
			if reflect.DeepEqual(a.marker, b.marker) {
				t.Errorf("markers %d and %d are the same", i, k)
			}
			if reflect.DeepEqual(a.hatch, b.hatch) && (!a.hatch.solid || math.Abs(gray(a)-gray(b)) < 40) {
				t.Errorf("areas %d and %d are the same", i, k)
			}
		}
	}
}

func gray(l look) float64 {
	return 0.299*float64(l.color.R) + 0.587*float64(l.color.G) + 0.114*float64(l.color.B)
}

// Markers of lines on each other must be apart.
func TestSpread(t *testing.T) {
	const length, n = 700, 8
	var all []vg.Length
	for i := range n {
		all = append(all, spread(i, n)(length)...)
	}
	for i, a := range all {
		if a < 0 || a > length {
			t.Errorf("a marker at %v", a)
		}
		for _, b := range all[:i] {
			if math.Abs(float64(a-b)) < 8 {
				t.Errorf("markers at %v and %v", a, b)
			}
		}
	}
}
