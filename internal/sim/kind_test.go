package sim_test

import (
	"testing"

	"alps/internal/sim"
	"alps/internal/stream"
)

// Each turn has the kind of its invocation.
func TestTurnsHaveTheKindOfTheirInvocation(t *testing.T) {
	for _, kinds := range [][]stream.Kind{
		{stream.Request, stream.Request, stream.Request},
		{stream.Process, stream.Request, stream.Cgroup},
		{"", "", stream.Cgroup},
	} {
		w := &stream.Window[stream.Invocation]{ID: 1, Lines: []int{2, 3, 4}}
		for i, kind := range kinds {
			w.Rows = append(w.Rows, stream.Invocation{
				Class: "a", Invocation: stream.Name('a' + rune(i)), ArrivalNs: stream.Nanos(i), CPUNs: 5, CPUs: 1, Kind: kind,
			})
		}
		turns, err := sim.Turns(w, sim.Options{Policy: func([]sim.Job) sim.Policy { return sim.SRPT{} }})
		if err != nil || len(turns) != len(kinds) {
			t.Fatalf("%v: error %v, %d turns", kinds, err, len(turns))
		}
		for _, turn := range turns {
			if want := kinds[turn.Invocation[0]-'a']; turn.Kind != want {
				t.Errorf("%v: a turn of %s has kind %q, want %q", kinds, turn.Invocation, turn.Kind, want)
			}
		}
	}
}
