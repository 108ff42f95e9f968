package tune

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"alps/internal/gittins"
	"alps/internal/load"
	"alps/internal/stream"
)

// ranksOf is "class:rank" of each row, in order.
func ranksOf(rows []stream.Policy) string {
	var parts []string
	for _, r := range rows {
		parts = append(parts, fmt.Sprintf("%s:%d", r.Class, r.Rank))
	}
	return strings.Join(parts, " ")
}

func TestRankBy(t *testing.T) {
	// a needs 10 and has waited 9, b needs 30 in two turns of 15 and has not
	// waited, c needs 20 in one and has waited 5.
	w := windowOf(1, 50, turn{"a", "a1", 10, 9}, turn{"b", "b1", 15, 0}, turn{"b", "b1", 15, 0}, turn{"c", "c1", 20, 5})
	for by, want := range map[RankBy]string{
		RankByWait:   "b:1 c:2 a:3",
		RankBySlice:  "a:1 b:2 c:3",
		RankByDemand: "a:1 c:2 b:3",
		"":           "b:1 c:2 a:3",
	} {
		tuner := newTuner(func(o *Options) { o.RankBy = by })
		if got := ranksOf(mustPolicy(t, tuner, w)); got != want {
			t.Errorf("by %q: %s, want %s", by, got, want)
		}
	}
}

// TestDemandCountsOnce: in the first window x has used 10 so far, in the second 50
// in all. With y, which needs 30, the mean is 40, and not (10 + 50 + 30) / 3.
func TestDemandCountsOnce(t *testing.T) {
	tuner := newTuner(func(o *Options) { o.History = 2 })
	mustPolicy(t, tuner, windowOf(1, 50, turn{"a", "x", 10, 0}))
	rows := mustPolicy(t, tuner, windowOf(2, 50, turn{"a", "x", 50, 0}, turn{"a", "y", 30, 0}))
	if got := rows[0].DemandNs; got != 40*ms {
		t.Errorf("demand %d, want 40 ms", got)
	}
}

// TestGittinsRows: the rows of a class are the steps of its index.
func TestGittinsRows(t *testing.T) {
	tuner := newTuner(func(o *Options) { o.RankBy = RankByGittins })
	turns := []turn{{"b", "b1", 40, 0}, {"b", "b2", 60, 0}}
	var demandsNs []int64
	for i := range 5 {
		turns = append(turns, turn{"a", fmt.Sprint("s", i), 10, 0}, turn{"a", fmt.Sprint("l", i), 100, 0})
		demandsNs = append(demandsNs, 10*ms, 100*ms)
	}
	rows := mustPolicy(t, tuner, windowOf(1, 50, turns...))
	a, err := gittins.New(gittins.Spread(demandsNs))
	if err != nil {
		t.Fatal(err)
	}
	steps := a.Steps(MaxSteps)
	var of []stream.Policy
	for _, row := range rows {
		if row.Class == "a" {
			of = append(of, row)
		} else if row.FromNs != 0 || row.DemandNs != 50*ms {
			t.Errorf("a class of few has the row %+v, want one with its mean", row)
		}
	}
	if len(of) != len(steps) || len(of) < 3 {
		t.Fatalf("%d rows, want the %d steps", len(of), len(steps))
	}
	for i, row := range of {
		if int64(row.FromNs) != steps[i].FromNs || int64(row.DemandNs) != roundNs(steps[i].RankNs) {
			t.Errorf("row %d is from %d with demand %d, the step is %+v", i, row.FromNs, row.DemandNs, steps[i])
		}
		if row.SliceNs != of[0].SliceNs || row.PredictedNs != 55*ms {
			t.Errorf("row %d has slice %d and prediction %d", i, row.SliceNs, row.PredictedNs)
		}
	}
	// Likely to be done soon at first; then, past 20, for sure not.
	if !(of[0].Rank < of[len(of)-1].Rank) {
		t.Errorf("ranks %s, want them to get worse", ranksOf(of))
	}
}

// TestGittinsRowsAreAPolicy: alps-load takes them; ranks have no gaps, and are in
// the order of the demands.
func TestGittinsRowsAreAPolicy(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var turns []turn
		for i := range rapid.IntRange(1, 40).Draw(rt, "turns") {
			turns = append(turns, turn{
				rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "class"), fmt.Sprint(i),
				float64(rapid.IntRange(0, 1000).Draw(rt, "slice")), 0,
			})
		}
		tuner := newTuner(func(o *Options) { o.RankBy, o.Unknown = RankByGittins, true })
		rows := mustPolicy(t, tuner, windowOf(1, 50, turns...))
		lines := make([]int, len(rows))
		if _, err := load.Check(&stream.Window[stream.Policy]{ID: 1, Rows: rows, Lines: lines}); err != nil {
			rt.Fatalf("%v: %+v", err, rows)
		}
		demandOf := make(map[stream.Count]stream.Nanos)
		var most stream.Count
		for _, row := range rows {
			most = max(most, row.Rank)
			demandOf[row.Rank] = row.DemandNs
		}
		for rank := stream.Count(1); rank <= most; rank++ {
			if _, is := demandOf[rank]; !is {
				rt.Fatalf("no row has rank %d of %d", rank, most)
			}
			if rank > 1 && demandOf[rank] < demandOf[rank-1] {
				rt.Fatalf("rank %d has demand %d, rank %d %d", rank, demandOf[rank], rank-1, demandOf[rank-1])
			}
		}
	})
}
