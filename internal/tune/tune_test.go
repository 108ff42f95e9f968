package tune

import (
	"fmt"
	"strings"
	"testing"

	"alps/internal/stream"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// turn is a row of a test's window, in ms; the key is cgroup:/fn/CLASS.
type turn struct {
	class      string
	invocation string
	sliceMs    float64
	waitMs     float64
}

func windowOf(id stream.Integer, utilPct stream.Percent, turns ...turn) *stream.Window[stream.Turn] {
	w := &stream.Window[stream.Turn]{ID: id}
	numbers := make(map[string]stream.Count)
	for i, r := range turns {
		numbers[r.invocation]++
		w.Rows = append(w.Rows, stream.Turn{
			Class: stream.Name(r.class), Key: "cgroup:/fn/" + r.class, Invocation: stream.Name(r.invocation),
			Turn: numbers[r.invocation], SliceNs: stream.Nanos(r.sliceMs * ms), WaitNs: stream.Nanos(r.waitMs * ms),
			CPUs: 1, UtilPct: utilPct,
		})
		w.Lines = append(w.Lines, i+2)
	}
	return w
}

// newTuner returns a Tuner with the defaults, but without the row for unknown
// functions.
func newTuner(change func(*Options)) *Tuner {
	o := Options{Predictor: Mean{}, Params: DefaultParams, History: 1}
	if change != nil {
		change(&o)
	}
	return New(o)
}

func mustPolicy(t testing.TB, tuner *Tuner, w *stream.Window[stream.Turn]) []stream.Policy {
	t.Helper()
	rows, err := tuner.Policy(w)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// slicesMs is "class:slice" of each row in order of rank, in ms.
func slicesMs(rows []stream.Policy) string {
	var parts []string
	for _, r := range rows {
		parts = append(parts, fmt.Sprintf("%s:%g", r.Class, float64(r.SliceNs)/ms))
	}
	return strings.Join(parts, " ")
}

// TestPolicyRow works out every value of a policy.
func TestPolicyRow(t *testing.T) {
	tuner := newTuner(nil)
	tuner.Follow([]stream.Policy{{Class: "a", SliceNs: 4 * ms}, {Class: "b", SliceNs: 0.8 * ms}})
	got := mustPolicy(t, tuner, windowOf(1, 90,
		turn{"a", "a1", 6, 3}, turn{"a", "a1", 10, 3}, turn{"a", "a2", 8, 6},
		turn{"b", "b1", 1, 0}, turn{"b", "b2", 7, 1}, turn{"b", "b3", 1, 9}))
	want := []stream.Policy{
		{
			// Slices 1, 7, 1: mean 3, deviations -2 4 -2, squares 4+16+4 = 24,
			// of three 8, whose root is 2.828427 ms.
			// tsu = 3 - 2.828427 = 0.171573; p = (100+50-90)/100 = 0.6;
			// tss = 0.102944. The last slice is below 1 ms: no inertia.
			// Waits 0, 1, 9: median 1. Each invocation has one turn, so the
			// mean demand is that of the slices.
			Class: "b", Key: "cgroup:/fn/b", Rank: 1, SliceNs: 102_944,
			Samples: 3, PredictedNs: 3 * ms, StdevNs: 2_828_427, Penalty: 0.6, WaitNs: 1 * ms, LastNs: 0.8 * ms, DemandNs: 3 * ms,
		},
		{
			// Slices 6, 10, 8: mean 8, deviations -2 2 0, squares 8, of three
			// 2.666667, whose root is 1.632993 ms.
			// tsu = 8 - 1.632993 = 6.367007; tss = 0.6 * tsu = 3.820204;
			// with inertia 0.7*3.820204 + 0.3*4 = 3.874143.
			// Waits of the two invocations 3, 6: median 4.5. Their demands
			// 6+10 and 8: mean 12.
			Class: "a", Key: "cgroup:/fn/a", Rank: 2, SliceNs: 3_874_143,
			Samples: 3, PredictedNs: 8 * ms, StdevNs: 1_632_993, Penalty: 0.6, WaitNs: 4.5 * ms, LastNs: 4 * ms, DemandNs: 12 * ms,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
}

// TestPolicyZeroSlice: mean 5, stdev 4, so with beta 2 nothing is left; rounding
// happens once, at the end.
func TestPolicyZeroSlice(t *testing.T) {
	tuner := newTuner(func(o *Options) { o.Params.Beta = 2 })
	got := mustPolicy(t, tuner, windowOf(1, 10, turn{"a", "a1", 1, 0}, turn{"a", "a1", 9, 0}))
	if got[0].SliceNs != 0 || got[0].PredictedNs != 5*ms || got[0].StdevNs != 4*ms {
		t.Errorf("policy is %+v, want slice 0 of 5 ms predicted and 4 ms stdev", got[0])
	}
}

func TestRanks(t *testing.T) {
	tests := []struct {
		name  string
		turns []turn
		want  string
	}{
		{
			"by wait, not by slice",
			[]turn{{"a", "a1", 1, 5}, {"b", "b1", 9, 2}}, "b:9 a:1",
		},
		{
			"ties by predicted slice",
			[]turn{{"a", "a1", 9, 2}, {"b", "b1", 1, 2}}, "b:1 a:9",
		},
		{
			"ties by class",
			[]turn{{"b", "b1", 3, 2}, {"a", "a1", 3, 2}}, "a:3 b:3",
		},
		{
			// a waits 0, 0 and 9: median 0, although the mean is more than b's.
			"the median wait",
			[]turn{{"a", "a1", 3, 0}, {"a", "a2", 3, 0}, {"a", "a3", 3, 9}, {"b", "b1", 3, 1}}, "a:3 b:3",
		},
		{
			// Of invocations: a waits 4 and 0, median 2. Of turns it would be 4.
			"a wait counts once an invocation",
			[]turn{{"a", "a1", 3, 4}, {"a", "a1", 3, 4}, {"a", "a1", 3, 4}, {"a", "a2", 3, 0}, {"b", "b1", 3, 3}}, "a:3 b:3",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rows := mustPolicy(t, newTuner(nil), windowOf(1, 10, test.turns...))
			if got := slicesMs(rows); got != test.want {
				t.Errorf("ranks are %s, want %s", got, test.want)
			}
			for i, r := range rows {
				if r.Rank != stream.Count(i+1) {
					t.Errorf("row %d has rank %d", i, r.Rank)
				}
			}
		})
	}
}

// TestKeys: each key of a class is a row with the same rank and slice; rows
// without a key are one too.
func TestKeys(t *testing.T) {
	w := windowOf(1, 10, turn{"a", "a1", 2, 0}, turn{"a", "a2", 4, 0}, turn{"a", "a3", 3, 0}, turn{"b", "b1", 1, 5})
	w.Rows[0].Key, w.Rows[1].Key, w.Rows[2].Key, w.Rows[3].Key = "comm:z", "comm:y", "comm:z", ""
	var got []string
	for _, r := range mustPolicy(t, newTuner(nil), w) {
		got = append(got, fmt.Sprintf("%s %s %d %d", r.Class, r.Key, r.Rank, r.Samples))
	}
	want := []string{"a comm:y 1 3", "a comm:z 1 3", "b  2 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestUnknownClass(t *testing.T) {
	unknown := func(o *Options) { o.Unknown = true }
	t.Run("pooled and ranked", func(t *testing.T) {
		tuner := newTuner(unknown)
		tuner.Follow([]stream.Policy{{Class: "*", SliceNs: 2 * ms}})
		rows := mustPolicy(t, tuner, windowOf(1, 10,
			turn{"a", "a1", 2, 0}, turn{"a", "a2", 4, 2}, turn{"b", "b1", 4, 8}, turn{"b", "b2", 6, 8}))
		// All slices 2, 4, 4, 6: mean 4; squares 4+0+0+4 = 8, of four 2, whose
		// root is 1.414214 ms. tsu = 2.585786; 0.7*tsu + 0.3*2 = 2.410051.
		// All waits 0, 2, 8, 8: median 5, between a's 1 and b's 8.
		want := stream.Policy{
			Class: "*", Key: "cgroup:/fn", Rank: 2, SliceNs: 2_410_051,
			Samples: 4, PredictedNs: 4 * ms, StdevNs: 1_414_214, Penalty: 1, WaitNs: 5 * ms, LastNs: 2 * ms, DemandNs: 4 * ms,
		}
		if len(rows) != 3 || rows[0].Class != "a" || rows[2].Class != "b" || rows[2].Rank != 3 {
			t.Errorf("rows are %+v, want a, *, b", rows)
		}
		if diff := cmp.Diff(want, rows[1]); diff != "" {
			t.Errorf("class * (-want +got):\n%s", diff)
		}
	})
	t.Run("sorts by its name", func(t *testing.T) {
		rows := mustPolicy(t, newTuner(unknown), windowOf(1, 10, turn{"!", "1", 3, 1}, turn{"a", "2", 3, 1}))
		if got, want := slicesMs(rows), "!:3 *:3 a:3"; got != want {
			t.Errorf("rows are %s, want %s", got, want)
		}
	})
	t.Run("not asked for", func(t *testing.T) {
		rows := mustPolicy(t, newTuner(nil), windowOf(1, 10, turn{"a", "a1", 3, 1}))
		if got, want := slicesMs(rows), "a:3"; got != want {
			t.Errorf("rows are %s, want %s", got, want)
		}
	})
	t.Run("no parent cgroup", func(t *testing.T) {
		w := windowOf(1, 10, turn{"a", "a1", 3, 1})
		w.Rows[0].Key = "comm:a"
		if got, want := slicesMs(mustPolicy(t, newTuner(unknown), w)), "a:3"; got != want {
			t.Errorf("rows are %s, want %s", got, want)
		}
	})
}

// TestInertia follows a class over windows: the last slice is that of the
// policy of the window before, inertia included, and of that window only.
func TestInertia(t *testing.T) {
	tuner := newTuner(nil)
	a := func(sliceMs float64) turn { return turn{"a", "a1", sliceMs, 0} }
	b := turn{"b", "b1", 0.5, 1}
	steps := []struct {
		turns []turn
		want  string
	}{
		{[]turn{a(10), b}, "a:10 b:0.5"},
		{[]turn{a(20), b}, "a:17 b:0.5"},   // 0.7*20 + 0.3*10; b's last is below 1 ms
		{[]turn{a(20), b}, "a:19.1 b:0.5"}, // 0.7*20 + 0.3*17
		{[]turn{b}, "b:0.5"},
		{[]turn{a(10), b}, "a:10 b:0.5"}, // a was not in the last policy
	}
	for i, step := range steps {
		rows := mustPolicy(t, tuner, windowOf(stream.Integer(i), 10, step.turns...))
		if got := slicesMs(rows); got != step.want {
			t.Errorf("window %d: %s, want %s", i, got, step.want)
		}
	}
}

// TestFollow: of a class with several rows, the first with the lowest from_ns
// counts.
func TestFollow(t *testing.T) {
	tuner := newTuner(nil)
	tuner.Follow([]stream.Policy{{Class: "gone", SliceNs: 9 * ms}})
	tuner.Follow([]stream.Policy{
		{Class: "a", FromNs: 5, SliceNs: 99 * ms}, {Class: "a", FromNs: 0, SliceNs: 20 * ms}, {Class: "a", FromNs: 0, SliceNs: 98 * ms},
	})
	rows := mustPolicy(t, tuner, windowOf(1, 10, turn{"a", "a1", 10, 0}, turn{"gone", "g1", 10, 1}))
	if got, want := slicesMs(rows), "a:13 gone:10"; got != want {
		t.Errorf("rows are %s, want %s", got, want)
	}
}

// TestHistory: slices and waits of the last windows are pooled, and a class
// stays until its last turns fall out.
func TestHistory(t *testing.T) {
	tuner := newTuner(func(o *Options) { o.History, o.Params.Beta, o.Params.Inertia = 2, 0, 0 })
	steps := []struct {
		turns []turn
		want  string
		waits []stream.Nanos
	}{
		{[]turn{{"a", "1", 2, 4}}, "a:2", []stream.Nanos{4 * ms}},
		{[]turn{{"a", "1", 4, 8}, {"b", "2", 1, 1}}, "b:1 a:3", []stream.Nanos{1 * ms, 6 * ms}},
		{[]turn{{"b", "3", 3, 3}}, "b:2 a:4", []stream.Nanos{2 * ms, 8 * ms}},
		{[]turn{{"b", "4", 5, 3}}, "b:4", []stream.Nanos{3 * ms}},
	}
	for i, step := range steps {
		rows := mustPolicy(t, tuner, windowOf(stream.Integer(i), 10, step.turns...))
		var waits []stream.Nanos
		for _, r := range rows {
			waits = append(waits, r.WaitNs)
		}
		if got := slicesMs(rows); got != step.want || !cmp.Equal(waits, step.waits) {
			t.Errorf("window %d: %s, waits %v; want %s, waits %v", i, got, waits, step.want, step.waits)
		}
	}
}

// TestHistoryUtilisation: the overload rule looks at the current window alone.
func TestHistoryUtilisation(t *testing.T) {
	tuner := newTuner(func(o *Options) { o.History = 2; o.Params.Inertia = 0 })
	mustPolicy(t, tuner, windowOf(1, 10, turn{"a", "1", 10, 0}))
	rows := mustPolicy(t, tuner, windowOf(2, 90, turn{"a", "2", 10, 0}))
	if got, want := slicesMs(rows), "a:6"; got != want {
		t.Errorf("rows are %s, want %s", got, want)
	}
}

// TestHistoryKeys: a key that passes to another class is the newer one's; a
// class left without keys has no rows, but a place in what all have in common.
func TestHistoryKeys(t *testing.T) {
	tuner := newTuner(func(o *Options) { o.History, o.Unknown = 2, true })
	mustPolicy(t, tuner, windowOf(1, 10, turn{"old", "1", 1, 0}))
	w := windowOf(2, 10, turn{"new", "2", 3, 0})
	w.Rows[0].Key = "cgroup:/fn/old"
	var got []string
	for _, r := range mustPolicy(t, tuner, w) {
		got = append(got, fmt.Sprintf("%s %s %d %d", r.Class, r.Key, r.Rank, r.Samples))
	}
	want := []string{"* cgroup:/fn 1 2", "new cgroup:/fn/old 2 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if rows := mustPolicy(t, tuner, windowOf(3, 10, turn{"old", "3", 1, 0})); rows[0].Class == "new" || rows[1].Class == "new" {
		t.Errorf("rows are %+v, want none of new, which lost its key again", rows)
	}
}

// TestHistoryWithoutKeys: rows without a key do not compete for it.
func TestHistoryWithoutKeys(t *testing.T) {
	tuner := newTuner(func(o *Options) { o.History = 2 })
	for id, class := range []string{"a", "b"} {
		w := windowOf(stream.Integer(id), 10, turn{class, class, 3, 0})
		w.Rows[0].Key = ""
		rows := mustPolicy(t, tuner, w)
		if got, want := slicesMs(rows), []string{"a:3", "a:3 b:3"}[id]; got != want {
			t.Errorf("window %d: rows are %s, want %s", id, got, want)
		}
	}
}

func TestUtilOverride(t *testing.T) {
	util := 90.0
	tuner := newTuner(func(o *Options) { o.UtilPct = &util })
	w := windowOf(1, 10, turn{"a", "1", 10, 0}, turn{"a", "2", 10, 0})
	w.Rows[1].UtilPct = 20 // does not matter now
	if got, want := slicesMs(mustPolicy(t, tuner, w)), "a:6"; got != want {
		t.Errorf("rows are %s, want %s", got, want)
	}
}

// TestNoOverload: the utilisation is not looked at, so it may differ.
func TestNoOverload(t *testing.T) {
	w := windowOf(1, 90, turn{"a", "1", 10, 0}, turn{"a", "2", 10, 0})
	w.Rows[1].UtilPct = 20
	rows := mustPolicy(t, newTuner(func(o *Options) { o.Params.NoOverload = true }), w)
	if got, want := slicesMs(rows), "a:10"; got != want || rows[0].Penalty != 1 {
		t.Errorf("rows are %s with penalty %v, want %s with 1", got, rows[0].Penalty, want)
	}
}

// TestRefuses also checks that a refused window leaves no trace.
func TestRefuses(t *testing.T) {
	good := func() *stream.Window[stream.Turn] {
		return windowOf(1, 10, turn{"a", "1", 10, 1}, turn{"a", "1", 20, 1}, turn{"b", "2", 5, 2})
	}
	tests := []struct {
		want   string
		change func(rows []stream.Turn)
	}{
		{`4: class: "*" is what the policy calls functions that it does not know; rename the class`,
			func(rows []stream.Turn) { rows[2].Class = "*" }},
		{`3: cpus: 2 differs from the 1 on line 2 of this window`,
			func(rows []stream.Turn) { rows[1].CPUs = 2 }},
		{`4: util_pct: 10.5 differs from the 10 on line 2 of this window; --util PCT sets one for all`,
			func(rows []stream.Turn) { rows[2].UtilPct = 10.5 }},
		{`3: wait_ns: 7 differs from the 1000000 of invocation "1" on line 2 of this window`,
			func(rows []stream.Turn) { rows[1].WaitNs = 7 }},
		{`3: class: "c" differs from the "a" of invocation "1" on line 2 of this window`,
			func(rows []stream.Turn) { rows[1].Class, rows[1].Key = "c", "comm:c" }},
		{`4: key: "cgroup:/fn/a" is the key of class "a" on line 2 of this window; one key cannot tell two classes apart`,
			func(rows []stream.Turn) { rows[2].Key = rows[0].Key }},
	}
	tuner := newTuner(func(o *Options) { o.History = 5; o.Params.Inertia = 0 })
	for _, test := range tests {
		w := good()
		test.change(w.Rows)
		if _, err := tuner.Policy(w); err == nil || err.Error() != ":"+test.want {
			t.Errorf("error is %v, want :%s", err, test.want)
		}
	}
	if rows := mustPolicy(t, tuner, good()); rows[0].Samples != 2 || rows[0].LastNs != 0 {
		t.Errorf("after the refused windows, the policy is %+v", rows)
	}
}

// TestPolicyProperties draws streams and checks what holds of every policy.
func TestPolicyProperties(t *testing.T) {
	drawTurn := rapid.Custom(func(t *rapid.T) turn {
		class := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "class")
		invocation := rapid.IntRange(0, 3).Draw(t, "invocation")
		return turn{
			class, fmt.Sprint(class, invocation),
			float64(rapid.IntRange(0, 50).Draw(t, "slice")), float64(invocation * 3 % 4),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		history := rapid.IntRange(1, 3).Draw(t, "history")
		newOptions := func(o *Options) { o.History, o.Unknown = history, true }
		one, two := newTuner(newOptions), newTuner(newOptions)
		for id := range stream.Integer(4) {
			turns := rapid.SliceOfN(drawTurn, 1, 12).Draw(t, "turns")
			util := stream.Percent(rapid.IntRange(0, 100).Draw(t, "util"))
			rows, err := one.Policy(windowOf(id, util, turns...))
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range rows {
				if r.Rank != stream.Count(i+1) {
					t.Errorf("row %d has rank %d", i, r.Rank)
				}
				if i > 0 && rows[i-1].WaitNs > r.WaitNs {
					t.Errorf("rank %d waits longer than rank %d", i, i+1)
				}
				if r.SliceNs > max(r.PredictedNs, r.LastNs) {
					t.Errorf("slice of %+v is longer than both the predicted and the last", r)
				}
			}
			// The order of the rows does not matter to the mean.
			shuffled, err := two.Policy(windowOf(id, util, rapid.Permutation(turns).Draw(t, "shuffled")...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rows, shuffled); diff != "" {
				t.Errorf("shuffled rows give another policy (-in order +shuffled):\n%s", diff)
			}
		}
	})
}
