package tune

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"alps/internal/stream"
)

func TestKeepMonotone(t *testing.T) {
	row := func(class stream.Name, rank stream.Count, sliceNs stream.Nanos) stream.Policy {
		return stream.Policy{Class: class, Rank: rank, SliceNs: sliceNs}
	}
	tests := []struct {
		name string
		rows []stream.Policy
		want []stream.Nanos
	}{
		{"nothing", nil, nil},
		{"cut to the one before", []stream.Policy{row("a", 1, 5), row("b", 2, 9)}, []stream.Nanos{5, 5}},
		{"shorter ones stay", []stream.Policy{row("a", 1, 5), row("b", 2, 3)}, []stream.Nanos{5, 3}},
		{"not only the one before", []stream.Policy{row("a", 1, 3), row("b", 2, 9), row("c", 3, 5)}, []stream.Nanos{3, 3, 3}},
		{"0 stays and is passed over", []stream.Policy{row("a", 1, 5), row("b", 2, 0), row("c", 3, 9)}, []stream.Nanos{5, 0, 5}},
		{"0 first", []stream.Policy{row("a", 1, 0), row("b", 2, 4), row("c", 3, 9)}, []stream.Nanos{0, 4, 4}},
		{"equal ranks", []stream.Policy{row("a", 1, 5), row("b", 1, 9), row("c", 2, 7)}, []stream.Nanos{5, 9, 5}},
		{"* is cut and does not cut", []stream.Policy{row("a", 1, 5), row("*", 2, 9), row("b", 3, 4)}, []stream.Nanos{5, 5, 4}},
		{"* first", []stream.Policy{row("*", 1, 2), row("b", 2, 4)}, []stream.Nanos{2, 4}},
		{
			// a has two keys of two steps, the second of a rank worse than b's.
			"rows of a class",
			[]stream.Policy{row("a", 1, 5), row("a", 3, 5), row("a", 1, 5), row("a", 3, 5), row("b", 2, 9)},
			[]stream.Nanos{5, 5, 5, 5, 5},
		},
		{
			"a class whose second row is of the rank of the next",
			[]stream.Policy{row("a", 1, 5), row("a", 2, 5), row("b", 2, 9), row("c", 4, 9)}, []stream.Nanos{5, 5, 5, 5},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			keepMonotone(test.rows)
			var got []stream.Nanos
			for _, r := range test.rows {
				got = append(got, r.SliceNs)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("slices (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMonotoneComesLast: after inertia and the longest slice, and the next window
// mixes in what it left.
func TestMonotoneComesLast(t *testing.T) {
	tuner := newTuner(func(o *Options) { o.Monotone, o.Params.MaxSliceNs = true, 30*ms })
	tuner.Follow([]stream.Policy{{Class: "a", SliceNs: 2 * ms}, {Class: "b", SliceNs: 40 * ms}})
	// a 0.7*4+0.3*2 = 3.4; b min(0.7*40+0.3*40, 30) = 30, cut to a's.
	w := windowOf(1, 10, turn{"a", "a1", 4, 0}, turn{"b", "b1", 40, 4})
	if got, want := slicesMs(mustPolicy(t, tuner, w)), "a:3.4 b:3.4"; got != want {
		t.Errorf("rows are %s, want %s", got, want)
	}
	// a 0.7*40+0.3*3.4 = 29.02; b 0.7*20+0.3*3.4 = 15.02.
	w = windowOf(2, 10, turn{"a", "a2", 40, 0}, turn{"b", "b2", 20, 40})
	if got, want := slicesMs(mustPolicy(t, tuner, w)), "a:29.02 b:15.02"; got != want {
		t.Errorf("rows are %s, want %s", got, want)
	}
}
