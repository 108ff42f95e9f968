package tune

import (
	"fmt"
	"slices"
	"testing"

	"alps/internal/stream"
)

// keyed is a turn of a key, which is of class KEY, and of a kind.
func keyed(key string, kind stream.Kind, invocation string) stream.Turn {
	return stream.Turn{Class: stream.Name(key), Key: key, Invocation: stream.Name(invocation), Turn: 1, SliceNs: 4 * ms, CPUs: 1, Kind: kind}
}

// kindsOf is "key kind" of each row, sorted.
func kindsOf(rows []stream.Policy) []string {
	var kinds []string
	for _, row := range rows {
		kinds = append(kinds, fmt.Sprintf("%s %s", row.Key, row.Kind))
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// A key has the kind that it had last; what stands for keys not known has that of
// all of them, if it is one.
func TestKindOfAKey(t *testing.T) {
	const a, b, c, unknown = "cgroup:/fn/a", "cgroup:/fn/b", "cgroup:/fn/c", "cgroup:/fn"
	windows := [][]stream.Turn{
		{keyed(a, stream.Request, "1"), keyed(b, stream.Request, "2")},
		{keyed(a, stream.Cgroup, "3"), keyed(c, "", "4")},
		{keyed(b, stream.Cgroup, "5"), keyed(c, stream.Cgroup, "6")},
		{keyed(a, "", "7")},
	}
	want := [][]string{
		{unknown + " request", a + " request", b + " request"},
		{unknown + " ", a + " cgroup", b + " request", c + " "},
		{unknown + " cgroup", a + " cgroup", b + " cgroup", c + " cgroup"},
		{unknown + " ", a + " ", b + " cgroup", c + " cgroup"},
	}
	tuner := newTuner(func(o *Options) { o.History, o.Unknown = 4, true })
	for i, rows := range windows {
		w := &stream.Window[stream.Turn]{ID: stream.Integer(i), Rows: rows, Lines: make([]int, len(rows))}
		if got := kindsOf(mustPolicy(t, tuner, w)); !slices.Equal(got, want[i]) {
			t.Errorf("window %d: %q, want %q", i, got, want[i])
		}
	}
}

// The turns of a class whose demands have changed are dropped; the kind is not.
func TestKindOutlivesTheTurns(t *testing.T) {
	w := savedWindow{turns: []stream.State{{What: stateTurn, Class: "a", Key: "comm:a", Kind: stream.Request}}}
	w.drop(map[string]bool{"a": true})
	if got := w.turns[0]; got.What != stateKey || got.Kind != stream.Request {
		t.Errorf("%+v", got)
	}
}
