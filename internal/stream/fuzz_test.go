package stream

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// No input makes the reader panic, and what it accepts is the same when it is
// written and read again.

func FuzzReadInvocations(f *testing.F) {
	addSeeds(f, invocationRefusals, []window[Invocation]{{ID: 1, Rows: []Invocation{goodInvocation, goodInvocation}}, {ID: 2, Rows: []Invocation{goodInvocation}}})
	f.Fuzz(fuzzRead[Invocation])
}

func FuzzReadTurns(f *testing.F) {
	addSeeds(f, turnRefusals, []window[Turn]{{ID: 1, Rows: []Turn{goodTurn, goodTurn}}, {ID: 2, Rows: []Turn{goodTurn}}})
	f.Fuzz(fuzzRead[Turn])
}

func FuzzReadPolicy(f *testing.F) {
	addSeeds(f, policyRefusals, []window[Policy]{{ID: 1, Rows: []Policy{goodPolicy, goodPolicy}}, {ID: 2, Rows: []Policy{goodPolicy}}})
	f.Fuzz(fuzzRead[Policy])
}

func FuzzReadState(f *testing.F) {
	addSeeds(f, stateRefusals, []window[State]{{ID: 1, Rows: []State{goodState, goodState}}, {ID: 2, Rows: []State{goodState}}})
	f.Fuzz(fuzzRead[State])
}

func addSeeds[T Row](f *testing.F, refusals []refusal, good []window[T]) {
	for _, refusal := range refusals {
		f.Add(refusal.input)
	}
	stream := write(f, good)
	f.Add(stream)
	f.Add("\ufeff" + strings.ReplaceAll(stream, "\n", "\r\n"))
	f.Add("note," + strings.ReplaceAll(stream, "\n", "\n,"))
}

func fuzzRead[T Row](t *testing.T, input string) {
	accepted, _, _ := readAll[T](input)
	for _, w := range accepted {
		if len(w.Rows) == 0 || len(w.Rows) != len(w.Lines) {
			t.Fatalf("window %d has %d rows and %d lines", w.ID, len(w.Rows), len(w.Lines))
		}
	}
	stream := write(t, accepted)
	again, warnings, err := readAll[T](stream)
	if err != nil || warnings != "" {
		t.Fatalf("its own output %q: error %v, warnings %q", stream, err, warnings)
	}
	for i := range accepted {
		accepted[i].Lines, again[i].Lines = nil, nil
	}
	if diff := cmp.Diff(accepted, again); diff != "" {
		t.Fatalf("written as %q (-accepted +again):\n%s", stream, diff)
	}
}
