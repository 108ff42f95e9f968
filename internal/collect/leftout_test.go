package collect

import (
	"testing"
	"time"

	"alps/bpf"
	"alps/internal/stream"
)

// A kernel whose tracing programs can be preempted leaves out events that come
// meanwhile. Here it leaves out all forks, execs and renamings: each process is seen
// all the same.
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
	run(t, body(t, name, "burn", "20ms"))
	want := runRenamed(t, name, "30ms")
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
	var got []process
	for range 1000 {
		if err := traced.Ended(func(p process) {
			if p.Comm == name {
				got = append(got, p)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if len(got) == 3 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if len(got) != 3 {
		t.Fatalf("%d ends, want 3: %+v", len(got), got)
	}
	// The first and the last have threads, whose forks are not made good for.
	if cpu := time.Duration(got[1].CPUNs); !aboutEqual(cpu, want) {
		t.Errorf("CPU time %v, the kernel says %v", cpu, want)
	}
}
