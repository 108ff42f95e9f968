package gittins

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// distinct is how many different samples there are.
func distinct(samplesNs []int64) int {
	return len(slices.Compact(slices.Sorted(slices.Values(samplesNs))))
}

// checkSteps tells what is wrong with the shape of steps.
func checkSteps(t rapid.TB, steps Steps, atMost int) {
	t.Helper()
	if len(steps) < 1 || len(steps) > atMost || steps[0].FromNs != 0 {
		t.Fatalf("at most %d: %v", atMost, steps)
	}
	for i, step := range steps {
		if !(step.RankNs > 0) || math.IsInf(step.RankNs, 0) {
			t.Fatalf("step %d: %v", i, step)
		}
		if i > 0 && (step.FromNs <= steps[i-1].FromNs || step.RankNs == steps[i-1].RankNs) {
			t.Fatalf("steps %d and %d: %v", i-1, i, steps)
		}
	}
}

func TestStepsAreExactIfThereAreEnough(t *testing.T) {
	check := func(t rapid.TB, samplesNs []int64) {
		d := mustNew(t, samplesNs...)
		atMost := distinct(samplesNs) + 1 + doublings
		steps := d.Steps(atMost)
		checkSteps(t, steps, atMost)
		longestNs := d.LongestNs()
		for _, ns := range append(slices.Clip(samplesNs), 0, 2*longestNs, 4*longestNs, 16*longestNs) {
			if got, want := steps.RankNs(ns), d.RankNs(ns); got != want {
				t.Fatalf("samples %v at %d: %g in steps, %g exactly", samplesNs, ns, got, want)
			}
		}
	}
	eachSmall(func(samplesNs []int64) { check(t, samplesNs) })
	rapid.Check(t, func(t *rapid.T) { check(t, drawSamples(t, 100)) })
}

// lossOf is what the steps lose against the cells, straight from its definition.
func lossOf(cells []cell, steps Steps) float64 {
	var loss float64
	for _, c := range cells {
		relative := steps.RankNs(c.fromNs)/c.rankNs - 1
		loss += c.timeNs * relative * relative
	}
	return loss
}

func TestMoreStepsLoseNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := mustNew(t, drawSamples(t, 100)...)
		cells := cellsOf(d, gridCells)
		before := math.Inf(1)
		for atMost := 1; atMost <= gridCells; atMost++ {
			steps := d.Steps(atMost)
			checkSteps(t, steps, atMost)
			loss := lossOf(cells, steps)
			if loss > before*(1+1e-9)+1e-9 {
				t.Fatalf("%d steps lose %g, one fewer %g", atMost, loss, before)
			}
			before = loss
		}
		if before > 1e-9 {
			t.Fatalf("as many steps as cells lose %g", before)
		}
	})
}

// Every way to cut the cells into so many steps is tried.
func TestStepsLoseLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := mustNew(t, drawSamples(t, 7)...)
		cells := cellsOf(d, gridCells)
		atMost := rapid.IntRange(1, 8).Draw(t, "steps")
		least := math.Inf(1)
		for cuts := range 1 << (len(cells) - 1) {
			if bits.OnesCount(uint(cuts)) >= atMost {
				continue
			}
			var loss float64
			from := 0
			for i := range cells {
				if i+1 < len(cells) && cuts&(1<<i) == 0 {
					continue
				}
				run := cells[from : i+1]
				var timeNs, completions float64
				for _, c := range run {
					timeNs += c.timeNs
					completions += c.timeNs / c.rankNs
				}
				loss += lossOf(run, Steps{{RankNs: timeNs / completions}})
				from = i + 1
			}
			least = min(least, loss)
		}
		if got := lossOf(cells, d.Steps(atMost)); math.Abs(got-least) > 1e-9*(1+least) {
			t.Fatalf("%d steps lose %g, the best ones %g", atMost, got, least)
		}
	})
}

// Joined cells begin at samples, have all the time, and the worst rank.
func TestCellsOfManySamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := mustNew(t, drawSamples(t, 300)...)
		atMost := rapid.IntRange(2, gridCells).Draw(t, "cells")
		cells := cellsOf(d, atMost+doublings)
		ofSamples, outlived := cells[:len(cells)-doublings], cells[len(cells)-doublings:]
		if len(ofSamples) > atMost || len(ofSamples) < min(atMost, len(d.points))/4 {
			t.Fatalf("%d cells of %d samples, at most %d", len(ofSamples), len(d.points)-1, atMost)
		}
		last := d.points[len(d.points)-1]
		if got := ofSamples[len(ofSamples)-1].fromNs; got != last.ns {
			t.Fatalf("the last cell begins at %d, the longest sample is %d", got, last.ns)
		}
		var timeNs float64
		for i, c := range ofSamples {
			timeNs += c.timeNs
			var worst float64
			for _, p := range d.points {
				if p.ns >= c.fromNs && (i+1 == len(ofSamples) || p.ns < ofSamples[i+1].fromNs) {
					worst = max(worst, d.RankNs(p.ns))
				}
			}
			if worst != c.rankNs {
				t.Fatalf("cell %d: rank %g, the worst is %g", i, c.rankNs, worst)
			}
		}
		if want := float64(last.costNs + last.ns); timeNs != want {
			t.Fatalf("time %g, want %g", timeNs, want)
		}
		for k, c := range outlived {
			if ns := last.ns << (k + 1); c != (cell{ns, float64(ns), float64(last.ns)}) {
				t.Fatalf("doubling %d of %d: %v", k+1, last.ns, c)
			}
		}
	})
}

func TestStepsOfTheLongestSample(t *testing.T) {
	if got := mustNew(t, math.MaxInt64).Steps(8); len(got) != 1 || got[0].FromNs != 0 {
		t.Error(got)
	}
}

func TestStepsAt(t *testing.T) {
	steps := Steps{{0, 5}, {10, 7}, {20, 1}}
	for _, c := range []struct {
		attainedNs int64
		rankNs     float64
		nextNs     int64
	}{{0, 5, 10}, {9, 5, 10}, {10, 7, 20}, {19, 7, 20}, {20, 1, math.MaxInt64}, {math.MaxInt64, 1, math.MaxInt64}} {
		if rankNs, nextNs := steps.RankNs(c.attainedNs), steps.NextChange(c.attainedNs); rankNs != c.rankNs || nextNs != c.nextNs {
			t.Errorf("at %d: rank %g up to %d, want %g up to %d", c.attainedNs, rankNs, nextNs, c.rankNs, c.nextNs)
		}
	}
}

func TestRanks(t *testing.T) {
	classes := []Steps{
		{{0, 5}, {10, 70}},
		{{0, 5}, {10, 1}, {20, 6}},
		{{0, 70}},
	}
	want := [][]int64{{2, 4}, {2, 1, 3}, {4}}
	if got := Ranks(classes); !reflect.DeepEqual(got, want) {
		t.Errorf("ranks %v, want %v", got, want)
	}
	if got := Ranks(nil); len(got) != 0 {
		t.Errorf("ranks of nothing: %v", got)
	}
}

// Many places are sorted as few are.
func TestSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2*halfPlaces - 1, 2 * halfPlaces, 3*halfPlaces + 1} {
		places := make([]place, n)
		want := make([]float64, n)
		for i := range places {
			places[i] = place{float64(r.IntN(1000)), int32(i), 0}
			want[i] = places[i].rankNs
		}
		var got []float64
		for _, p := range sorted(slices.Clone(places)) {
			if p != places[p.class] {
				t.Fatalf("of %d places, %v was %v", n, p, places[p.class])
			}
			got = append(got, p.rankNs)
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%d places are not in order", n)
		}
	}
}

func TestRanksAreDense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := make([]Steps, rapid.IntRange(1, 20).Draw(t, "classes"))
		for i := range classes {
			classes[i] = mustNew(t, drawSamples(t, 5)...).Steps(8)
		}
		ranks := Ranks(classes)
		byRank := make(map[int64]float64)
		for class, steps := range classes {
			for step := range steps {
				rank, rankNs := ranks[class][step], steps[step].RankNs
				if known, again := byRank[rank]; again && known != rankNs {
					t.Fatalf("rank %d is of %g and %g", rank, known, rankNs)
				}
				byRank[rank] = rankNs
			}
		}
		for rank := int64(1); rank <= int64(len(byRank)); rank++ {
			rankNs, ok := byRank[rank]
			if !ok || rank > 1 && rankNs <= byRank[rank-1] {
				t.Fatalf("rank %d of %d: %g after %g", rank, len(byRank), rankNs, byRank[rank-1])
			}
		}
	})
}

// cellsOf is the cells that steps of the distribution are made of.
func cellsOf(d *Distribution, atMost int) []cell {
	var r Reducer
	r.divide(d, atMost)
	return r.cells
}
