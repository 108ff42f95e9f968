package collect

import (
	"testing"
	"time"

	"alps/bpf"
	"alps/internal/stream"
)

// A kernel whose tracing programs can be preempted leaves out events that come
// meanwhile. Here it leaves out all forks, execs and renamings: each process is seen
// all the same, with all of its threads.
func TestEventsLeftOut(t *testing.T) {
	const name = "fn-leftout"
	needKernel(t)
	kind := *kinds[stream.Process]
	kind.programs = []string{bpf.CollectProgOnSwitch}
	traced, err := newTracerOf(&kind, &Options{sizes: defaultSizes})
	if err != nil {
		t.Fatal(err)
	}
	defer traced.Close()
	want := []time.Duration{
		run(t, body(t, name, "burn", "20ms")),
		runRenamed(t, name, "30ms"),
		run(t, body(t, name, "threads", "4", "10ms")),
		run(t, body(t, name, "leaderexit", "20ms")),
		runFork(t, "handover", name, "30ms"),
	}
	living := body(t, name, "sleep")
	start(t, living)
	found := false
	for range 1000 {
		all, err := traced.Living()
		if err != nil {
			t.Fatal(err)
		}
		for id, p := range all {
			found = found || id.Number == uint64(living.Process.Pid) && p.Comm == name
		}
		if found {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !found {
		t.Error("the one that lives is not seen")
	}
	kill(living)
	want = append(want, living.ProcessState.UserTime()+living.ProcessState.SystemTime())
	var got []process
	for range 1000 {
		if err := traced.Ended(func(p process) {
			if p.Comm == name {
				got = append(got, p)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) >= len(want) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if len(got) != len(want) {
		t.Fatalf("%d ends, want %d: %+v", len(got), len(want), got)
	}
	for i, cpu := range want {
		if got := time.Duration(got[i].CPUNs); !aboutEqual(got, cpu) {
			t.Errorf("%d: CPU time %v, the kernel says %v", i, got, cpu)
		}
	}
	if lost, err := traced.Losses(); err != nil || lost.sum() > 0 {
		t.Errorf("lost %v, %v", lost, err)
	}
}
