package collect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"alps/internal/stream"
)

func TestWindow(t *testing.T) {
	classifier, err := newClassifier(ByComm, Filter{Comms: []string{"fn"}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWindow(stream.Process, classifier)
	late := process{processID: processID{1, 200}, Comm: "fn", Cgroup: "/", CPUNs: 50, WaitNs: 20, LifeNs: 100, Switches: 9, Sleeps: 4}
	early := process{processID: processID{2, 100}, Comm: "fn", Cgroup: "/", CPUNs: 10, LifeNs: 5}
	other := process{processID: processID{3, 50}, Comm: "other", Cgroup: "/"}
	w.add(&late)
	w.add(&early)
	w.add(&other)
	early.EndNs = 300
	w.add(&early) // it ended while the window was closed
	rows, next := w.close(150, 4, 12.5, 3)
	want := []stream.Invocation{
		{Class: "fn", Key: "comm:fn", Invocation: "2-100", ArrivalNs: 100, CPUNs: 10, EndNs: stream.OptNanos{Nanos: 300, Valid: true}, CPUs: 4, UtilPct: 12.5, BeginNs: stream.OptNanos{Nanos: 150, Valid: true}, Lost: 3, Kind: stream.Process},
		{Class: "fn", Key: "comm:fn", Invocation: "1-200", ArrivalNs: 200, CPUNs: 50, WaitNs: 20, BlockNs: 30, CPUs: 4, UtilPct: 12.5, BeginNs: stream.OptNanos{Nanos: 150, Valid: true}, Sleeps: 4, Switches: 9, Lost: 3, Kind: stream.Process},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}

	// What was reported is not taken back.
	late.CPUNs = 49
	next.add(&late)
	if rows, _ := next.close(400, 4, 0, 0); len(rows) != 1 || rows[0].CPUNs != 50 {
		t.Errorf("%+v, want CPU time 50", rows)
	}
}

func TestLossesAreToldByCause(t *testing.T) {
	if got := (losses{}).String(); got != "" {
		t.Errorf("nothing lost: %q", got)
	}
	a := losses{TableFull: 1, RingFull: 2, EndNotSeen: 3, NotRun: 4, PathTooLong: 5, WindowFull: 6}
	if got := a.plus(a).minus(a); got != a {
		t.Errorf("%+v, want %+v", got, a)
	}
	if got := a.sum(); got != 21 {
		t.Errorf("%d in all, want 21", got)
	}
	const want = "1 invocations (more alive at once than the table holds), 2 ends of invocations (ring buffer full), " +
		"3 invocations (end not seen), 4 events (tracing program already running on the CPU), " +
		"5 invocations (cgroup path longer than 1024 bytes or 32 levels), 6 invocations (more in the window than a window may have)"
	if got := a.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
