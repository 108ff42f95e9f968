package sim

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"alps/internal/gittins"
)

func distribution(t testing.TB, samplesNs ...int64) *gittins.Distribution {
	t.Helper()
	d, err := gittins.New(samplesNs)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// classJobs makes jobs of class, arrival and CPU time in ms.
func classJobs(rows ...[3]int64) []Job {
	jobs := make([]Job, len(rows))
	for i, r := range rows {
		jobs[i] = Job{Class: int32(r[0]), ArrivalNs: r[1] * ms, CPUNs: r[2] * ms}
	}
	return jobs
}

// TestFairTime: deadlines are on a clock that goes the slower the more functions
// are runnable. One of rank 2 is due 2 times 101 ms after its arrival at 0. While
// one of rank 1 comes each 10 ms, two are runnable and the clock goes at half
// speed: the one that comes at 360 is due at 180 + 20, before it, and that at 370
// at 205, after it.
func TestFairTime(t *testing.T) {
	rows := [][3]int64{{1, 0, 100}}
	for i := range int64(50) {
		rows = append(rows, [3]int64{0, 10 * i, 10})
	}
	p := ALPS{Tables: []Table{rankTable([2]int64{10, 10}, [2]int64{100, 101})}, Stretch: 2}
	if got := endsMs(t, classJobs(rows...), 1, p)[0]; got != 470 {
		t.Errorf("rank 2 ends at %g ms, want 370 + 100", got)
	}
}

func endsNs(t *testing.T, jobs []Job, cpus int, p Policy) []int64 {
	t.Helper()
	result, err := Simulate(jobs, Config{CPUs: cpus}, p)
	if err != nil {
		t.Fatal(err)
	}
	return result.EndNs
}

// endsMs runs a policy and returns when each job ends, in ms.
func endsMs(t *testing.T, jobs []Job, cpus int, p Policy) []float64 {
	t.Helper()
	ends := make([]float64, len(jobs))
	for i, ns := range endsNs(t, jobs, cpus, p) {
		ends[i] = float64(ns) / ms
	}
	return ends
}

// rankTable has class i at rank i+1, with slices and demands in ms.
func rankTable(rows ...[2]int64) Table {
	var t Table
	for i, r := range rows {
		t.Classes = append(t.Classes, []Step{{Rank: int32(i + 1), SliceNs: r[0] * ms, DemandNs: r[1] * ms}})
	}
	return t
}

func TestALPSByHand(t *testing.T) {
	tables := []Table{rankTable([2]int64{10, 10}, [2]int64{100, 100})}
	// With two steps a class is of the same rank whatever it has used.
	halfTable := Table{Classes: [][]Step{
		{{Rank: 2, SliceNs: 100 * ms, DemandNs: 100 * ms}, {FromNs: 1000 * ms, Rank: 2, DemandNs: 100 * ms}},
		{{Rank: 3, SliceNs: 1000 * ms, DemandNs: 1000 * ms}},
		{{Rank: 1, SliceNs: 10 * ms, DemandNs: 10 * ms}},
	}}
	tests := []struct {
		name string
		jobs []Job
		cpus int
		p    ALPS
		want []float64
	}{
		{
			// 1 comes at 5 with rank 1 and takes the CPU of rank 2.
			"a better rank preempts", classJobs([3]int64{1, 0, 100}, [3]int64{0, 5, 10}), 1,
			ALPS{Tables: tables}, []float64{110, 15},
		},
		{
			// The rank 1 that runs is not ended by another of its rank.
			"within a rank who came first", classJobs([3]int64{0, 0, 10}, [3]int64{0, 5, 10}), 1,
			ALPS{Tables: tables}, []float64{10, 20},
		},
		{
			// Rank 2's patience is 2 times 100: due at 200. A rank 1 of 190 is due
			// at 190 + 20, after it: it waits. One of 150 is due at 170.
			"patience is bounded", classJobs([3]int64{1, 0, 300}, [3]int64{0, 150, 10}, [3]int64{0, 190, 10}), 1,
			ALPS{Tables: tables, Stretch: 2}, []float64{310, 160, 320},
		},
		{
			// The same on two CPUs, where a stretch of 5 is one of 2.
			"patience is shorter on two CPUs",
			classJobs([3]int64{1, 0, 300}, [3]int64{1, 0, 300}, [3]int64{0, 150, 10}, [3]int64{0, 190, 10}), 2,
			ALPS{Tables: tables, Stretch: 5}, []float64{310, 300, 160, 310},
		},
		{
			// The first step has rank 1 until 20 ms are used, then rank 3: the
			// rank 2 that came at 1 goes on at 20.
			"a step loses its rank", classJobs([3]int64{0, 0, 50}, [3]int64{1, 1, 10}), 1,
			ALPS{Tables: []Table{{Classes: [][]Step{
				{{Rank: 1, SliceNs: 100 * ms}, {FromNs: 20 * ms, Rank: 3, SliceNs: 100 * ms}},
				{{Rank: 2, SliceNs: 100 * ms}},
			}}}}, []float64{60, 30},
		},
		{
			// Without a table all are system tasks with slices of 3 ms, the least
			// virtual time first: 0 at 0-3, 1 at 3-6. Then both have had 3: who runs goes
			// on.
			"fair before the first table", classJobs([3]int64{0, 0, 6}, [3]int64{1, 0, 6}), 1,
			ALPS{Tables: []Table{{FromNs: 1000 * ms, Classes: tables[0].Classes}}}, []float64{12, 9},
		},
		{
			// A class that is not in the policy is a system task: before rank 1.
			"no row, no waiting", classJobs([3]int64{0, 0, 50}, [3]int64{7, 10, 5}), 1,
			ALPS{Tables: tables}, []float64{55, 15},
		},
		{
			"a row for the unknown", classJobs([3]int64{0, 0, 50}, [3]int64{7, 10, 5}), 1,
			ALPS{Tables: []Table{{Classes: tables[0].Classes, Unknown: []Step{{Rank: 9}}}}}, []float64{50, 55},
		},
		{
			// On two CPUs the rank 1 of 5 takes the CPU of the worst rank, 2, not
			// that of the other rank 1.
			"the worst rank is ended", classJobs([3]int64{1, 0, 100}, [3]int64{0, 0, 100}, [3]int64{0, 5, 10}), 2,
			ALPS{Tables: tables}, []float64{110, 100, 15},
		},
		{
			// Rank 1 has slices of 10. Rank 2 waits from 0 on; at the end of the slice
			// at 1010 it has waited for more than a second and has 1 ms. Then it
			// waits from 1011 to 2021, and from 2022 until rank 1 is done.
			"the bound on starvation", classJobs([3]int64{0, 0, 2100}, [3]int64{1, 0, 5}), 1,
			ALPS{Tables: tables, MaxWaitNs: 1000 * ms}, []float64{2102, 2105},
		},
		{
			// With 100 ms of CPU time, a job of a class of 10 is as one of a class
			// that needs 50: due at 50 times 2, and at 150 no more before the
			// class of 20, which came at 90 and is due at 90 + 40.
			"who outlives its class falls back", classJobs([3]int64{0, 0, 200}, [3]int64{1, 90, 20}), 1,
			ALPS{Tables: []Table{rankTable([2]int64{10, 10}, [2]int64{10, 20})}, Stretch: 2}, []float64{220, 160},
		},
		{
			// The first sleeps from 20 to 30. When it wakes the other one of its rank
			// runs, which came later: it is let finish its slice at 70.
			"within a rank nobody is ended",
			[]Job{{Class: 1, CPUNs: 40 * ms, BlockNs: 10 * ms, Sleeps: 1}, {Class: 1, ArrivalNs: 5 * ms, CPUNs: 100 * ms}}, 1,
			ALPS{Tables: []Table{rankTable([2]int64{10, 10}, [2]int64{50, 100})}}, []float64{90, 140},
		},
		{
			// Two steps say themselves what is thought of it: due at 200 throughout,
			// it goes on.
			"not if its class has steps", classJobs([3]int64{0, 0, 200}, [3]int64{1, 90, 20}), 1,
			ALPS{Tables: []Table{{Classes: [][]Step{
				{{Rank: 1, SliceNs: 10 * ms, DemandNs: 10 * ms}, {FromNs: 50 * ms, Rank: 1, SliceNs: 10 * ms, DemandNs: 10 * ms}},
				{{Rank: 2, SliceNs: 10 * ms, DemandNs: 20 * ms}},
			}}}, Stretch: 20}, []float64{200, 220},
		},
		{
			// The first is due at a fair time of 100, and late at the end of its third
			// slice, at 300. Those on time have had more by then, as much as counts: it has
			// 24 ms. From 324 on both have 8 ms each in turn, until it ends in its tenth,
			// which begins at 476.
			"who is late has half of the time", classJobs([3]int64{0, 0, 400}, [3]int64{1, 0, 100}), 1,
			ALPS{Tables: []Table{halfTable}, Stretch: 1}, []float64{480, 500},
		},
		{
			// The same until 334, when those on time have had 6 ms more. Rank 1 comes and
			// takes the CPU of the late one, and keeps it at 342, having had 14 ms more. At 344
			// it is done, and the late one has 16 ms, until both have had as much; from 360 on
			// they go in turn again, and its last 2 ms begin at 480.
			"a better rank takes the CPU of who is late",
			classJobs([3]int64{0, 0, 400}, [3]int64{1, 0, 100}, [3]int64{2, 334, 10}), 1,
			ALPS{Tables: []Table{halfTable}, Stretch: 1}, []float64{482, 510, 344},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, endsMs(t, test.jobs, test.cpus, test.p)); diff != "" {
				t.Errorf("ends in ms (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPaperByHand(t *testing.T) {
	tables := []Table{rankTable([2]int64{10, 10}, [2]int64{50, 100}, [2]int64{0, 0})}
	tests := []struct {
		name string
		jobs []Job
		want []float64
	}{
		// Rank 1 waits for the end of rank 2's slice.
		{"no preemption by rank", classJobs([3]int64{1, 0, 100}, [3]int64{0, 5, 10}), []float64{110, 60}},
		// At 50 the better rank goes first, not who came first.
		{"the better rank first", classJobs([3]int64{1, 0, 60}, [3]int64{2, 1, 5}, [3]int64{0, 5, 10}), []float64{70, 75, 60}},
		// Rank 3 has no slice: CFS gives it 6 ms, which end at a tick, at 8.
		{"without a slice CFS decides", classJobs([3]int64{2, 0, 20}, [3]int64{0, 1, 10}), []float64{30, 18}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, endsMs(t, test.jobs, 1, ALPSPaper{Tables: tables})); diff != "" {
				t.Errorf("ends in ms (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSFSByHand(t *testing.T) {
	tests := []struct {
		name string
		jobs []Job
		p    SFS
		want []float64
	}{
		// 20 ms each, first come, first served; 0 has the rest after 1's slice.
		{"slices of 20 ms at first", classJobs([3]int64{0, 0, 30}, [3]int64{0, 1, 15}), SFS{}, []float64{45, 35}},
		// 0 is CFS's from 20 on; who comes at 25 takes its CPU at once.
		{"the queue before CFS", classJobs([3]int64{0, 0, 30}, [3]int64{0, 25, 5}), SFS{}, []float64{35, 30}},
		// Gaps of 10 and 10: the slice is 10 from the third arrival on: 2 has 10
		// at 40-50, and its rest under CFS, after 1's rest has had its 6 ms.
		{
			"slices by the gaps between arrivals", classJobs([3]int64{0, 0, 20}, [3]int64{0, 10, 20}, [3]int64{0, 20, 12}),
			SFS{Gaps: 2}, []float64{20, 40, 52},
		},
		// 3 slices of 20 are over at 61: 3, which came at 0, is CFS's at 80 as 4
		// is not: 4, of 70, has its slice first.
		{
			"who waited too long is CFS's", classJobs([3]int64{0, 0, 20}, [3]int64{0, 0, 20}, [3]int64{0, 0, 20}, [3]int64{0, 0, 20}, [3]int64{0, 0, 20}, [3]int64{0, 70, 10}),
			SFS{}, []float64{20, 40, 60, 80, 110, 90},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, endsMs(t, test.jobs, 1, test.p)); diff != "" {
				t.Errorf("ends in ms (-want +got):\n%s", diff)
			}
		})
	}
	// Who sleeps comes back for the rest of its slice: 0 runs 0-5, sleeps until
	// 15, waits for 1's slice to end at 25, and runs 25-30.
	jobs := classJobs([3]int64{0, 0, 10}, [3]int64{0, 1, 30})
	jobs[0].Sleeps, jobs[0].BlockNs = 1, 10*ms
	if diff := cmp.Diff([]float64{30, 40}, endsMs(t, jobs, 1, SFS{})); diff != "" {
		t.Errorf("ends in ms (-want +got):\n%s", diff)
	}
}

func TestGittinsByHand(t *testing.T) {
	// Class 0 needs 10 or 100 as often: of rank 20 at first, (10 + 10) / 1; once
	// it has had 10, of rank 90. Class 1 needs 30.
	table := GittinsTable{Classes: []*gittins.Distribution{distribution(t, 10*ms, 100*ms), distribution(t, 30*ms)}}
	tests := []struct {
		name string
		jobs []Job
		want []float64
	}{
		{"the index goes first", classJobs([3]int64{1, 0, 30}, [3]int64{0, 0, 10}), []float64{40, 10}},
		// At 10 it was not one of the short: rank 90 against 30.
		{"and gives way", classJobs([3]int64{1, 0, 30}, [3]int64{0, 0, 100}), []float64{40, 130}},
		// At 20, class 1 has 10 left and is better than 20.
		{"nearly done is best", classJobs([3]int64{1, 0, 30}, [3]int64{0, 20, 10}), []float64{30, 40}},
		// At 5, it has 25 left and is not.
		{"just begun is not", classJobs([3]int64{1, 0, 30}, [3]int64{0, 5, 10}), []float64{40, 15}},
		// Of class 9 nothing is known: rank 0 until it has run, then as much as
		// it has used; it is looked at each ms. At 20 and more it is not better.
		{"an unknown class", classJobs([3]int64{9, 0, 40}, [3]int64{0, 0, 10}), []float64{50, 30}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := endsMs(t, test.jobs, 1, Gittins{Tables: []GittinsTable{table}})
			if test.name == "an unknown class" {
				// Looked at at 1, 2, ... 10 and then a tenth more each time.
				if got[0] != 50 || got[1] < 30 || got[1] > 33 {
					t.Errorf("ends %v ms, want 50 and a little over 30", got)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("ends in ms (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPoliciesProperties: whatever the policy, work is conserved.
func TestPoliciesProperties(t *testing.T) {
	tables := []Table{
		{FromNs: 5 * ms, Classes: [][]Step{{{Rank: 2, SliceNs: 4 * ms, DemandNs: 6 * ms}}, {{Rank: 1, SliceNs: 0, DemandNs: 3 * ms}, {FromNs: 2 * ms, Rank: 3, SliceNs: ms, DemandNs: 9 * ms}}}},
		{FromNs: 20 * ms, Classes: [][]Step{{{Rank: 1, SliceNs: 2 * ms, DemandNs: 5 * ms}}}, Unknown: []Step{{Rank: 2, SliceNs: ms, DemandNs: 8 * ms}}},
	}
	known := []GittinsTable{{FromNs: 7 * ms, Classes: []*gittins.Distribution{distribution(t, 2*ms, 9*ms, 20*ms)}, Unknown: distribution(t, 5*ms)}}
	policies := []Policy{
		FIFO{}, RR{QuantumNs: 2 * ms}, CFS{}, EEVDF{}, SFS{}, SFS{Gaps: 2, FirstNs: ms, FloorNs: ms}, SRPT{}, SRPT{MinSliceNs: 3 * ms},
		ALPS{Tables: tables}, ALPS{Tables: tables, Stretch: 3, MaxWaitNs: 10 * ms},
		ALPSPaper{Tables: tables}, Gittins{Tables: known},
	}
	rapid.Check(t, func(t *rapid.T) {
		jobs, cfg := drawJobs(t)
		policy := rapid.SampledFrom(policies).Draw(t, "policy")
		for i := range jobs {
			jobs[i].ArrivalNs *= ms / 2
			jobs[i].CPUNs *= ms / 2
			jobs[i].BlockNs *= ms
		}
		cfg.SwitchCostNs *= 10_000
		ends, err := Simulate(jobs, cfg, policy)
		if err != nil {
			t.Fatal(err)
		}
		for i, ns := range ends.EndNs {
			if alone := jobs[i].ArrivalNs + jobs[i].CPUNs + jobs[i].BlockNs; ns < alone {
				t.Errorf("job %d ended at %d, alone it would at %d", i, ns, alone)
			}
		}
		for i := range jobs {
			jobs[i].Sleeps, jobs[i].BlockNs = 0, 0
		}
		result, err := Simulate(jobs, Config{CPUs: cfg.CPUs, KeepTurns: true}, policy)
		if err != nil {
			t.Fatal(err)
		}
		checkTurns(t, jobs, cfg.CPUs, result.Turns)
	})
}

// TestServedOutOfTurn: who has been served out of turn is in the queue twice, with
// one deadline, and runs on one of two CPUs that are free at once.
func TestServedOutOfTurn(t *testing.T) {
	var jobs []Job
	for _, cpuHalfMs := range []int64{2, 4, 11, 9, 8, 5, 12, 6} {
		jobs = append(jobs, Job{CPUNs: cpuHalfMs * ms / 2})
	}
	jobs[6].Class = 2
	tables := []Table{
		{FromNs: 5 * ms, Classes: [][]Step{{{Rank: 2, SliceNs: 4 * ms, DemandNs: 6 * ms}}}},
		{FromNs: 20 * ms, Classes: [][]Step{{{Rank: 1, SliceNs: 2 * ms, DemandNs: 5 * ms}}}},
	}
	result, err := Simulate(jobs, Config{CPUs: 2, KeepTurns: true}, ALPS{Tables: tables, Stretch: 3, MaxWaitNs: 10 * ms})
	if err != nil {
		t.Fatal(err)
	}
	var ranNs int64
	for _, turn := range result.Turns {
		ranNs += turn.SliceNs
	}
	if want := int64(57) * ms / 2; ranNs != want {
		t.Errorf("they ran for %d ns, want %d", ranNs, want)
	}
}

func TestPoliciesRefuse(t *testing.T) {
	late := []Job{{ArrivalNs: math.MaxInt64/2 + 1, CPUNs: 1}}
	long := []Job{{CPUNs: math.MaxInt64 / 2}, {CPUNs: math.MaxInt64 / 4}}
	tests := []struct {
		name string
		jobs []Job
		p    Policy
		want string
	}{
		{"quantum", nil, RR{}, "a quantum of 0 ns"},
		{"too many turns", long, RR{QuantumNs: 1}, "job 0: cpu_ns: 4611686018427387903 ns, with those before it, takes more than 8589934592 steps to simulate"},
		{"too many slices", long, ALPS{}, "takes more than 8589934592 steps"},
		{"no deadline after it", late, ALPS{}, "job 0: arrival_ns: 4611686018427387904 ns is too near to the end of the clock"},
		{"stretch", nil, ALPS{Stretch: 1001}, "a stretch of 1001"},
		{"max wait", nil, ALPS{MaxWaitNs: -1}, "a longest wait of -1 ns"},
		{"tables out of order", nil, ALPS{Tables: []Table{{FromNs: 5}, {FromNs: 5}}}, "tables from 5 ns and then 5 ns"},
		{"a first step not from 0", nil, ALPSPaper{Tables: []Table{{Unknown: []Step{{FromNs: 1, Rank: 1}}}}}, "a step from 1 ns"},
		{"rank 0", nil, ALPS{Tables: []Table{{Classes: [][]Step{{{}}}}}}, "a rank is at least 1"},
		{"gittins tables", nil, Gittins{Tables: []GittinsTable{{FromNs: 5}, {FromNs: 4}}}, "tables from 5 ns and then 4 ns"},
		{"gaps", nil, SFS{Gaps: -1}, "over -1 inter-arrival times"},
		{"predictions", []Job{{CPUNs: 1}}, SRPT{PredictedNs: []int64{1, 2}}, "1 jobs with 2 predictions"},
		{"sleeps", []Job{{CPUNs: 1, Sleeps: MaxSleeps + 1}}, FIFO{}, "job 0: sleeps: 1000001 is not from 0 to 1000000"},
		{"sleep beyond the clock", []Job{{CPUNs: 1, Sleeps: 1, BlockNs: math.MaxInt64 - 1}}, FIFO{}, "job 0: block_ns: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Simulate(test.jobs, Config{CPUs: 1}, test.p)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q in it", err, test.want)
			}
		})
	}
}

// TestSwitchCostsPassTheClock: what was fine without them is refused, not wrong.
func TestSwitchCostsPassTheClock(t *testing.T) {
	jobs := []Job{{ArrivalNs: math.MaxInt64 - 100, CPUNs: 50}}
	if _, err := Simulate(jobs, Config{CPUs: 1}, FIFO{}); err != nil {
		t.Error(err)
	}
	_, err := Simulate(jobs, Config{CPUs: 1, SwitchCostNs: 80}, FIFO{})
	if err == nil || !strings.Contains(err.Error(), "passes the end of the clock") {
		t.Errorf("error is %v", err)
	}
}

// TestManyAtOnce: a million jobs at one instant end, under each policy.
func TestManyAtOnce(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 10_000
	}
	jobs := make([]Job, n)
	for i := range jobs {
		jobs[i] = Job{ArrivalNs: 5, CPUNs: int64(i%1000+1) * 1000, Class: int32(i % 3)}
	}
	table := rankTable([2]int64{1, 1}, [2]int64{2, 2}, [2]int64{3, 3})
	for _, p := range []Policy{
		SRPT{MinSliceNs: DefaultMinSliceNs}, FIFO{}, RR{QuantumNs: ms}, SFS{}, CFS{}, EEVDF{},
		ALPS{Tables: []Table{table}, Stretch: 15, MaxWaitNs: 1e9}, ALPSPaper{Tables: []Table{table}},
		Gittins{Tables: []GittinsTable{{Unknown: distribution(t, 300_000, 800_000)}}},
	} {
		var last int64
		for _, ns := range endsNs(t, jobs, 4, p) {
			last = max(last, ns)
		}
		var total int64
		for _, j := range jobs {
			total += j.CPUNs
		}
		if last < 5+total/4 || last > 5+total/4+100*ms {
			t.Errorf("%T: the last ends at %d, want about %d", p, last, 5+total/4)
		}
	}
}
