package sim

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ms = 1_000_000

// msJobs makes jobs of arrivals and CPU times in ms.
func msJobs(times ...[2]int64) []Job {
	jobs := simple(times)
	for i := range jobs {
		jobs[i].ArrivalNs *= ms
		jobs[i].CPUNs *= ms
	}
	return jobs
}

func TestFairByHand(t *testing.T) {
	sleeper := []Job{{CPUNs: 2 * ms, BlockNs: 10 * ms, Sleeps: 1}, {CPUNs: 40 * ms}}
	late := append(msJobs([2]int64{0, 10}, [2]int64{0, 10}), Job{ArrivalNs: 7_500_000, CPUNs: 2 * ms})
	owed := []Job{{CPUNs: 10 * ms}, {CPUNs: 6 * ms, BlockNs: 300_000, Sleeps: 1}}
	tests := []struct {
		name   string
		policy Policy
		jobs   []Job
		want   []Turn // in ms, or in tenths of one where the name says so
	}{
		{
			// The first is placed at 6, a slice of one, the second at 3.
			"CFS: two that arrive together", CFS{}, msJobs([2]int64{0, 10}, [2]int64{0, 10}),
			[]Turn{{0, 4, 4}, {0, 12, 4}, {0, 18, 2}, {1, 0, 4}, {1, 8, 4}, {1, 16, 2}},
		},
		{
			// At 1 the first is at 7, the second is placed at 10, and the
			// first goes on with a whole slice of 3: at the tick of 4 it is
			// not over it.
			"CFS: an arrival has to wait for a slice", CFS{}, msJobs([2]int64{0, 20}, [2]int64{1, 10}),
			[]Turn{{0, 0, 8}, {0, 12, 4}, {0, 20, 4}, {0, 26, 4}, {1, 8, 4}, {1, 16, 4}, {1, 24, 2}},
		},
		{
			// It wakes at 15, is placed 3 before the other one, and that is
			// over 1.
			"CFS: a sleeper ends a turn", CFS{}, sleeper,
			[]Turn{{0, 4, 1}, {0, 15, 1}, {1, 0, 4}, {1, 5, 10}, {1, 16, 26}},
		},
		{
			"CFS: a wakeup granularity over half the latency", CFS{WakeupGranularityNs: 4 * ms}, sleeper,
			[]Turn{{0, 4, 1}, {0, 16, 1}, {1, 0, 4}, {1, 5, 11}, {1, 17, 25}},
		},
		{
			// At 8 both are at 4, with deadlines at 4.7: the one that waits is
			// first.
			"EEVDF: two that arrive together", EEVDF{}, msJobs([2]int64{0, 10}, [2]int64{0, 10}),
			[]Turn{{0, 0, 4}, {0, 8, 4}, {0, 16, 2}, {1, 4, 4}, {1, 12, 4}, {1, 18, 2}},
		},
		{
			// At 1 the deadline of the first is 1.7, that of the second 1.35.
			"EEVDF: an arrival has half a slice", EEVDF{}, msJobs([2]int64{0, 20}, [2]int64{1, 10}),
			[]Turn{{0, 0, 1}, {0, 4, 4}, {0, 12, 4}, {0, 19, 11}, {1, 1, 3}, {1, 8, 4}, {1, 16, 3}},
		},
		{
			// At 7.5 the second is at 3.5 with a deadline at 4.2, and the mean
			// is 3.75: the deadline of the third is 4.1.
			"EEVDF, in tenths: half a slice is earlier than a whole one", EEVDF{}, late,
			[]Turn{{0, 0, 40}, {0, 120, 40}, {0, 200, 20}, {1, 40, 35}, {1, 80, 40}, {1, 175, 25}, {2, 75, 5}, {2, 160, 15}},
		},
		{
			// At 7 the second falls asleep at 3 with the mean at 3.5. At 7.3
			// the first is at 4.3, so is the mean, and the second is placed
			// twice 0.5 before it. So at the tick of 8 it is at 4, and the
			// first is still over the mean.
			"EEVDF, in tenths: a sleeper before the mean", EEVDF{}, owed,
			[]Turn{{0, 0, 40}, {0, 70, 3}, {0, 103, 57}, {1, 40, 30}, {1, 73, 30}},
		},
		{
			// It falls asleep at 1 with the mean at 0.5, half a ms over it, so
			// it stays in the queue. At the tick of 4, it is at 1, the other
			// one at 3 and the mean at 2: it is let go. At 11 it is placed at
			// the mean, 10, and its deadline, 10.7, ties with the other's.
			"EEVDF: a sleeper behind the mean", EEVDF{}, sleeper,
			[]Turn{{0, 0, 1}, {0, 11, 1}, {1, 1, 10}, {1, 12, 30}},
		},
		{
			// At 10 both are at the same virtual time. At the tick of 12 the
			// first is not over its slice of 3; at that of 20 the second is,
			// but is still behind.
			"CFS: embedded", headStart{}, msJobs([2]int64{0, 12}, [2]int64{0, 11}),
			[]Turn{{0, 0, 5}, {0, 10, 6}, {0, 22, 1}, {1, 5, 5}, {1, 16, 6}},
		},
		{
			"two CPUs, two jobs", EEVDF{}, msJobs([2]int64{0, 10}, [2]int64{1, 10}),
			[]Turn{{0, 0, 10}, {1, 1, 10}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			unitNs := int64(ms)
			if strings.Contains(test.name, "in tenths") {
				unitNs /= 10
			}
			for i := range test.want {
				test.want[i].StartNs *= unitNs
				test.want[i].SliceNs *= unitNs
			}
			cpus := 1
			if strings.HasPrefix(test.name, "two CPUs") {
				cpus = 2
			}
			if diff := cmp.Diff(test.want, mustSimulate(t, test.jobs, cpus, test.policy).Turns); diff != "" {
				t.Errorf("turns (-want +got):\n%s", diff)
			}
		})
	}
}

func mustSimulate(t testing.TB, jobs []Job, cpus int, p Policy) *Result {
	t.Helper()
	result, err := Simulate(jobs, Config{CPUs: cpus, KeepTurns: true}, p)
	if err != nil {
		t.Fatalf("%T: %v", p, err)
	}
	return result
}

// idleEngine is one that has a CPU and jobs that are nowhere yet.
func idleEngine(jobs int) *engine {
	return &engine{jobs: make([]Job, jobs), n: jobs, states: make([]state, jobs), cpus: []cpu{{job: none}}, nowNs: 100 * ms}
}

// Job 0 runs, job 1 would be first by its deadline, job 2 raises the mean.
func TestEEVDFProtectsSlices(t *testing.T) {
	v := EEVDF{}.discipline(idleEngine(3)).(*eevdf)
	for job, at := range []struct{ virtual, deadline vtime }{{40, 47}, {39, 46}, {80, 87}} {
		v.virtual[job], v.jobs[job].deadline = firstVtime+at.virtual, firstVtime+at.deadline
		v.add(int32(job))
		if job > 0 {
			v.queue(int32(job), yielded, v.jobs[job].deadline)
		}
	}
	v.started(0, 0)
	for i, want := range map[bool]int32{true: 0, false: 1} {
		if got := v.pick(0, 0, i); got != want {
			t.Errorf("protected %v: job %d is picked, want %d", i, got, want)
		}
	}
	// A lag has bounds, one tick here.
	v.virtual[1] = firstVtime - 1<<40
	if got := v.lagNs(1); got != DefaultTickNs {
		t.Errorf("a lag of %d, want %d", got, DefaultTickNs)
	}
}

// A sleeper that has ended a turn runs next even if another one is a little
// further behind, but not more than the wakeup granularity.
func TestCFSWokenIsNext(t *testing.T) {
	for ahead, want := range map[vtime]int32{ms: 1, ms + 1: 0} {
		c := newCFS(idleEngine(2), CFS{})
		for job, at := range []vtime{0, ahead} {
			c.virtual[job] = firstVtime + at
			c.queue(int32(job), yielded, c.virtual[job])
		}
		c.buddy = 1
		if got := c.next(); got != want {
			t.Errorf("%d ahead: job %d is next, want %d", ahead, got, want)
		}
	}
}

// At a tick that finds a job over its slice, but still the first, the job is not
// picked anew: the next tick finds it over its slice again.
func TestCFSStaysOverItsSlice(t *testing.T) {
	e := idleEngine(2)
	c := newCFS(e, CFS{})
	c.virtual[0], c.virtual[1] = firstVtime, firstVtime+8*ms
	c.queue(1, yielded, c.virtual[1])
	e.cpus[0].job = 0
	c.started(0, 0)
	for _, goOn := range []bool{true, false} {
		e.nowNs += 4 * ms
		if _, got := c.expired(0, 0); got != goOn {
			t.Errorf("at %d: goes on: %v", e.nowNs, got)
		}
	}
}

func TestFairRefuses(t *testing.T) {
	tests := []struct {
		name   string
		policy Policy
		jobs   []Job
		want   string
	}{
		{"negative latency", CFS{LatencyNs: -1}, nil, "a latency of -1 ns: from 100000 to 100000000 can be"},
		{"short minimum granularity", CFS{MinGranularityNs: 1}, nil, "a minimum granularity of 1 ns"},
		{"long wakeup granularity", CFS{WakeupGranularityNs: 1e9}, nil, "a wakeup granularity of 1000000000 ns"},
		{"short tick", CFS{TickNs: 1}, nil, "a tick of 1 ns"},
		{"short slice", EEVDF{BaseSliceNs: 99_999}, nil, "a base slice of 99999 ns"},
		{"long tick", EEVDF{TickNs: 100_000_001}, nil, "a tick of 100000001 ns"},
		{"absurd CPU time, CFS", CFS{}, []Job{{CPUNs: 1 << 60}}, "job 0: cpu_ns: 1152921504606846976 ns"},
		{"absurd CPU time, EEVDF", EEVDF{}, []Job{{}, {CPUNs: 1 << 60}}, "job 1: cpu_ns: 1152921504606846976 ns"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Simulate(test.jobs, Config{CPUs: 1}, test.policy)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestFairDefaultsGrowWithCPUs(t *testing.T) {
	for cpus, factor := range map[int]int64{1: 1, 2: 2, 3: 2, 4: 3, 7: 3, 8: 4, 64: 4} {
		want := CFS{6 * ms * factor, 750_000 * factor, ms * factor, 4 * ms}
		if got := (CFS{}).withDefaults(cpus); got != want {
			t.Errorf("%d CPUs: %+v, want %+v", cpus, got, want)
		}
		if got := (EEVDF{}).withDefaults(cpus).BaseSliceNs; got != 700_000*factor {
			t.Errorf("%d CPUs: a slice of %d, want %d", cpus, got, 700_000*factor)
		}
	}
}
