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

// A process of which the start of a thread was not seen has an end all the same.
func TestStartOfAThreadNotSeen(t *testing.T) {
	const name = "fn-unseen"
	needKernel(t)
	traced, err := newTracer(&Options{sizes: defaultSizes})
	if err != nil {
		t.Fatal(err)
	}
	defer traced.Close()
	living := body(t, name, "burnsleep", "20ms")
	start(t, living)
	table := traced.loaded.Maps[bpf.CollectMapProcesses]
	awaitThread := func() (key uint64, value bpf.CollectProcess) {
		for range 1000 {
			for entries := table.Iterate(); entries.Next(&key, &value); {
				if value.Tgid == uint32(living.Process.Pid) && value.Threads > 1 {
					return key, value
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("the process is not seen with its threads")
		return 0, value
	}
	awaitThread()
	time.Sleep(200 * time.Millisecond) // it sleeps by now, and has all its threads
	key, value := awaitThread()
	value.Threads--
	if err := table.Put(key, value); err != nil {
		t.Fatal(err)
	}
	kill(living)
	for range 1000 {
		ended := false
		if err := traced.Ended(func(p process) { ended = ended || p.Comm == name }); err != nil {
			t.Fatal(err)
		}
		if ended {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("its end is not seen")
}
