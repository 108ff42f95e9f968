package compare

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"alps/internal/sim"
	"alps/internal/stream"
)

// TestTurnsAreTheInvocations: the invocations made anew of their turns, in rows of
// any order, are those that were simulated.
func TestTurnsAreTheInvocations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timeline := NewTimeline(0)
		want := make(map[string]sim.Job)
		classes := []stream.Name{"a", "b", "c"}
		for window := range rapid.IntRange(1, 3).Draw(t, "windows") {
			w := &stream.Window[stream.Invocation]{ID: stream.Integer(window)}
			for i := range rapid.IntRange(1, 10).Draw(t, "invocations") {
				row := stream.Invocation{
					Class:      rapid.SampledFrom(classes).Draw(t, "class"),
					Invocation: stream.Name(fmt.Sprint(window, "/", i)),
					ArrivalNs:  stream.Nanos(1000*window + rapid.IntRange(0, 99).Draw(t, "arrival")),
					CPUNs:      stream.Nanos(rapid.IntRange(1, 50).Draw(t, "cpu")),
					CPUs:       2, EndNs: stream.OptNanos{Nanos: 5000, Valid: true},
				}
				want[string(row.Class+row.Invocation)] = sim.Job{ArrivalNs: int64(row.ArrivalNs), CPUNs: int64(row.CPUNs)}
				w.Rows = append(w.Rows, row)
				w.Lines = append(w.Lines, i+2)
			}
			turns, err := sim.Turns(w, sim.Options{Policy: func([]sim.Job) sim.Policy { return sim.SRPT{MinSliceNs: 6} }})
			if err != nil {
				t.Fatal(err)
			}
			turns = rapid.Permutation(turns).Draw(t, "order")
			if err := timeline.AddTurns(&stream.Window[stream.Turn]{ID: w.ID, Rows: turns, Lines: make([]int, len(turns))}); err != nil {
				t.Fatal(err)
			}
		}
		got := make(map[string]sim.Job)
		for i, job := range timeline.Jobs {
			id := timeline.Classes[job.Class] + timeline.ids[i]
			job.Class = 0
			got[id] = job
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("invocations, want - and got +:\n%s", diff)
		}
	})
}

// TestTurnsTellTheBegin: a window begins when those come who were there before; with
// the first that is new if nobody was, or is said to have come when he first did.
func TestTurnsTellTheBegin(t *testing.T) {
	timeline := NewTimeline(0)
	in := stream.NewReader[stream.Turn](strings.NewReader(`window,class,invocation,turn,slice_ns,wait_ns,cpus,util_pct,start_ns
1,a,1,1,30,5,1,50,45
1,a,2,1,90,35,1,50,75
2,b,3,1,10,2,1,50,132
2,a,2,1,95,20,1,50,142
3,b,4,1,10,4,1,50,264
3,a,2,1,95,235,1,50,275
4,a,2,1,99,5,1,50,305
5,a,2,1,99,275,1,50,315
6,b,5,1,10,0,1,50,290
`), "in")
	var beginsNs []int64
	for {
		w, err := in.Next()
		if err != nil {
			break
		}
		if err := timeline.AddTurns(w); err != nil {
			t.Fatal(err)
		}
		beginsNs = append(beginsNs, timeline.Windows[len(timeline.Windows)-1].BeginNs)
	}
	if diff := cmp.Diff([]int64{40, 122, 260, 300, 300, 300}, beginsNs); diff != "" {
		t.Errorf("begins, want - and got +:\n%s", diff)
	}
	if job := timeline.Jobs[1]; job.ArrivalNs != 40 || job.CPUNs != 99 || len(timeline.Jobs) != 5 {
		t.Errorf("invocation 2 of %d is %+v, want it to arrive at 40 and need 99", len(timeline.Jobs), job)
	}
}
