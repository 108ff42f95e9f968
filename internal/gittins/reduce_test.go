package gittins

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// What a Reducer had before does not show in what it returns.
func TestSpreadSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var reused Reducer
		for range 5 {
			samplesNs := drawSamples(t, 60)
			atMost := rapid.IntRange(1, 2*gridCells).Draw(t, "steps")
			got, err := reused.SpreadSteps(samplesNs, atMost)
			if err != nil {
				t.Fatal(err)
			}
			if want := mustNew(t, Spread(samplesNs)...).Steps(atMost); !reflect.DeepEqual(got, want) {
				t.Fatalf("%v in %d steps: %v, want %v", samplesNs, atMost, got, want)
			}
			for _, samplesNs := range [][]int64{nil, {0}} {
				if _, err := reused.SpreadSteps(samplesNs, atMost); !errors.Is(err, ErrNoSamples) {
					t.Fatalf("samples %v: error is %v", samplesNs, err)
				}
			}
		}
	})
}

// The ranks at the points are those that RankNs searches for.
func TestRankPoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := mustNew(t, drawSamples(t, 100)...)
		var r Reducer
		r.rankPoints(d)
		for i, p := range d.points {
			if got, want := r.ranksNs[i], d.RankNs(p.ns); got != want {
				t.Fatalf("at %d: %g, want %g", p.ns, got, want)
			}
		}
	})
}

// Of equal sums the first is taken.
func TestLeastSum(t *testing.T) {
	a, b := []float64{4, 1, 0, 1e300}, []float64{0, 1, 2, 1e-300}
	if sum, place := leastSum(a, b); sum != 2 || place != 1 {
		t.Errorf("the least sum of %v and %v is %g at %d", a, b, sum, place)
	}
}
