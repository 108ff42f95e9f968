package sim

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// simple makes jobs of arrivals and CPU times.
func simple(times [][2]int64) []Job {
	jobs := make([]Job, len(times))
	for i, t := range times {
		jobs[i] = Job{ArrivalNs: t[0], CPUNs: t[1]}
	}
	return jobs
}

type srptConfig struct {
	CPUs       int
	MinSliceNs int64
}

func runSRPT(jobs []Job, cfg srptConfig) ([]Turn, error) {
	result, err := Simulate(jobs, Config{CPUs: cfg.CPUs, KeepTurns: true}, SRPT{MinSliceNs: cfg.MinSliceNs})
	if err != nil {
		return nil, err
	}
	return result.Turns, nil
}

func mustSRPT(t testing.TB, jobs []Job, cfg srptConfig) []Turn {
	t.Helper()
	turns, err := runSRPT(jobs, cfg)
	if err != nil {
		t.Fatalf("SRPT(%v, %+v): %v", jobs, cfg, err)
	}
	return turns
}

func TestSRPTByHand(t *testing.T) {
	tests := []struct {
		name string
		jobs []Job
		cfg  srptConfig
		want []Turn
	}{
		{"nothing", nil, srptConfig{1, 6}, []Turn{}},
		{
			// At 2, b has 3 and a 8 left: a's turn of 2 ends.
			"preemption", simple([][2]int64{{0, 10}, {2, 3}}), srptConfig{1, 0},
			[]Turn{{0, 0, 2}, {0, 5, 8}, {1, 2, 3}},
		},
		{
			// a may be ended at 6 at the soonest, with 4 left.
			"preemption waits for the minimum slice", simple([][2]int64{{0, 10}, {2, 3}}), srptConfig{1, 6},
			[]Turn{{0, 0, 6}, {0, 9, 4}, {1, 6, 3}},
		},
		{
			// At 6, a has 3 left, which is not more than b's 3.
			"equal remaining does not preempt", simple([][2]int64{{0, 9}, {2, 3}}), srptConfig{1, 6},
			[]Turn{{0, 0, 9}, {1, 9, 3}},
		},
		{
			// At 5, b arrives after the minimum slice: at once.
			"preemption after the minimum slice", simple([][2]int64{{0, 10}, {5, 3}}), srptConfig{1, 4},
			[]Turn{{0, 0, 5}, {0, 8, 5}, {1, 5, 3}},
		},
		{
			// a's first turn is protected until 4, its second one from 7 to 11:
			// c, which arrives at 8 with 1, gets the CPU at 11.
			"each turn has its own minimum slice", simple([][2]int64{{0, 20}, {1, 3}, {8, 1}}), srptConfig{1, 4},
			[]Turn{{0, 0, 4}, {0, 7, 4}, {0, 12, 12}, {1, 4, 3}, {2, 11, 1}},
		},
		{
			"least remaining first, not first come", simple([][2]int64{{0, 5}, {1, 4}, {2, 3}}), srptConfig{1, 6},
			[]Turn{{0, 0, 5}, {1, 8, 4}, {2, 5, 3}},
		},
		{
			"ties by arrival", simple([][2]int64{{0, 5}, {2, 4}, {1, 4}}), srptConfig{1, 6},
			[]Turn{{0, 0, 5}, {1, 9, 4}, {2, 5, 4}},
		},
		{
			"ties by row", simple([][2]int64{{0, 4}, {0, 4}}), srptConfig{1, 6},
			[]Turn{{0, 0, 4}, {1, 4, 4}},
		},
		{
			// b ends at 3 as c arrives: c with 2 goes before a with 5.
			"arrival at the instant of a completion", simple([][2]int64{{1, 5}, {0, 3}, {3, 2}}), srptConfig{1, 6},
			[]Turn{{0, 5, 5}, {1, 0, 3}, {2, 3, 2}},
		},
		{
			// Of a and b, both endable at 2, b has most left (8, a 4).
			"two CPUs: most remaining is ended", simple([][2]int64{{0, 6}, {0, 10}, {2, 1}}), srptConfig{2, 0},
			[]Turn{{0, 0, 6}, {1, 0, 2}, {1, 3, 8}, {2, 2, 1}},
		},
		{
			"two CPUs: of equals the later row is ended", simple([][2]int64{{0, 6}, {0, 6}, {2, 1}}), srptConfig{2, 0},
			[]Turn{{0, 0, 6}, {1, 0, 2}, {1, 3, 4}, {2, 2, 1}},
		},
		{
			// At 2, a and b have 4 left each; a came later.
			"two CPUs: of equals the later arrival is ended", simple([][2]int64{{1, 5}, {0, 6}, {2, 1}}), srptConfig{2, 0},
			[]Turn{{0, 1, 1}, {0, 3, 4}, {1, 0, 6}, {2, 2, 1}},
		},
		{
			// At 4, c ends a (6 left), as b is protected until 5. Then a
			// ends b (96 left), with no arrival or completion at 5.
			"two CPUs: an ended job ends another one", simple([][2]int64{{0, 10}, {1, 100}, {4, 2}}), srptConfig{2, 4},
			[]Turn{{0, 0, 4}, {0, 5, 6}, {1, 1, 4}, {1, 6, 96}, {2, 4, 2}},
		},
		{
			"no CPU time, no turn", simple([][2]int64{{0, 0}, {0, 2}, {1, 0}}), srptConfig{1, 6},
			[]Turn{{1, 0, 2}},
		},
		{
			"idle time between arrivals", simple([][2]int64{{5, 2}, {100, 2}}), srptConfig{1, 6},
			[]Turn{{0, 5, 2}, {1, 100, 2}},
		},
		{
			"more CPUs than jobs", simple([][2]int64{{0, 3}, {0, 5}}), srptConfig{MaxCPUs, 0},
			[]Turn{{0, 0, 3}, {1, 0, 5}},
		},
		{
			"the end of the clock", simple([][2]int64{{math.MaxInt64 - 6, 5}, {0, 0}}), srptConfig{1, math.MaxInt64},
			[]Turn{{0, math.MaxInt64 - 6, 5}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := mustSRPT(t, test.jobs, test.cfg)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("turns (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSRPTRefuses(t *testing.T) {
	tests := []struct {
		name string
		jobs []Job
		cfg  srptConfig
		want string
	}{
		{"no CPU", nil, srptConfig{0, 0}, "on 0 CPUs"},
		{"negative minimum slice", nil, srptConfig{1, -1}, "it cannot be negative"},
		{"negative arrival", simple([][2]int64{{0, 1}, {-1, 1}}), srptConfig{1, 0}, "job 1: arrival_ns: -1 is negative"},
		{"negative CPU time", simple([][2]int64{{0, -2}}), srptConfig{1, 0}, "job 0: cpu_ns: -2 is negative"},
		{
			"CPU time beyond the clock", simple([][2]int64{{0, math.MaxInt64 - 1}, {0, 1}}), srptConfig{1, 0},
			"job 1: cpu_ns: 1 ns, with all the CPU time and sleep before it, passes the end of the clock (9223372036854775807 ns)",
		},
		{
			"arrival beyond the clock", simple([][2]int64{{0, 2}, {math.MaxInt64 - 1, 0}}), srptConfig{1, 0},
			"job 1: arrival_ns: 9223372036854775806 ns, with all the CPU time and sleep before it, passes the end of the clock",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := runSRPT(test.jobs, test.cfg)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q in it", err, test.want)
			}
		})
	}
}

// drawWorkload draws up to 25 jobs that crowd up to 4 CPUs, with a minimum
// slice from none to longer than most jobs.
func drawWorkload(t *rapid.T) ([]Job, srptConfig) {
	job := rapid.Custom(func(t *rapid.T) Job {
		return Job{ArrivalNs: rapid.Int64Range(0, 40).Draw(t, "arrival"), CPUNs: rapid.Int64Range(0, 30).Draw(t, "cpu")}
	})
	return rapid.SliceOfN(job, 0, 25).Draw(t, "jobs"), srptConfig{
		CPUs:       rapid.IntRange(1, 4).Draw(t, "cpus"),
		MinSliceNs: rapid.Int64Range(0, 12).Draw(t, "minSlice"),
	}
}
