package workload

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"alps/internal/stream"
)

const resultHeader = "invocation,class,arrival_ns,start_ns,end_ns,cpu_ns,switches," +
	"clock_ns,fork_ns,demand_ns,block_ns,rusage_cpu_ns,voluntary,involuntary,pid\n"

// Two of class long, the second of which slept, and one of class short.
const resultText = resultHeader +
	"1,long,0,10,100,80,3,5000,5,75,0,81,1,2,7\n" +
	"2,long,50,60,250,100,4,5050,55,95,20,101,4,0,8\n" +
	"3,short,60,120,130,5,0,5060,70,4,0,6,0,0,9\n"

func outcomes(t *testing.T, text string) []Outcome {
	t.Helper()
	outcomes, err := ReadOutcomes(strings.NewReader(text), "f")
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

func TestReadOutcomes(t *testing.T) {
	want := Outcome{
		Invocation: "2", Class: "long", ArrivalNs: 50, ForkNs: 55, StartNs: 60, EndNs: 250, ClockNs: 5050,
		DemandNs: 95, CPUNs: 100, RusageCPUNs: 101, BlockNs: 20, Voluntary: 4, PID: 8,
	}
	got := outcomes(t, resultText)
	if len(got) != 3 {
		t.Fatalf("%d outcomes, want 3", len(got))
	}
	if diff := cmp.Diff(want, got[1]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for text, want := range map[string]string{
		"invocation\n": "f:1: class: the column is missing",
		resultHeader + "1,long,0,10,x,80,3,5000,5,75,0,81,1,2,7\n":  `f:2: end_ns: "x" is not a whole number`,
		resultHeader + "1,long,0,10,9,80,3,5000,5,75,0,81,1,2,7\n":  "f:2: end_ns: arrival, start and end are not in order",
		resultHeader + "1,long,11,10,19,8,3,5000,5,75,0,81,1,2,7\n": "f:2: end_ns: arrival, start and end are not in order",
	} {
		if _, err := ReadOutcomes(strings.NewReader(text), "f"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestReadOutcomesSleeps(t *testing.T) {
	const header = "sleeps," + resultHeader
	if got := outcomes(t, header+"3,2,long,50,60,250,100,4,5050,55,95,20,101,4,0,8\n"); got[0].Sleeps != 3 || got[0].BlockNs != 20 {
		t.Errorf("%+v, want 3 sleeps of 20 ns in all", got[0])
	}
	_, err := ReadOutcomes(strings.NewReader(header+",2,long,50,60,250,100,4,5050,55,95,20,101,4,0,8\n"), "f")
	if want := "f:2: sleeps: the cell is empty"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestSummarize(t *testing.T) {
	// Turnarounds: long 100 and 200, short 70. Slowdowns: 100/80, 200/120, 70/5.
	want := []Summary{
		{
			Class: "short", N: 1, DemandNs: 4, CPUNs: 5, MeanNs: 70, P50Ns: 70, P90Ns: 70, P99Ns: 70,
			Slowdown: 14, LateNs: 10,
		},
		{
			Class: "long", N: 2, DemandNs: 85, CPUNs: 90, MeanNs: 150, P50Ns: 100, P90Ns: 200, P99Ns: 200,
			Slowdown: (1.25 + 200.0/120) / 2, Switches: 7, LateNs: 5,
		},
		{
			Class: AllClasses, N: 3, DemandNs: 58, CPUNs: 185.0 / 3, MeanNs: 370.0 / 3, P50Ns: 100, P90Ns: 200, P99Ns: 200,
			Slowdown: (1.25 + 200.0/120 + 14) / 3, Switches: 7, LateNs: 20.0 / 3,
		},
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
	if diff := cmp.Diff(want, Summarize(outcomes(t, resultText)), near); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := Summarize(nil); got != nil {
		t.Errorf("of nothing: %v", got)
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i + 1)
	}
	for p, want := range map[int]int64{0: 1, 1: 1, 50: 50, 90: 90, 99: 99, 100: 100} {
		if got := Percentile(hundred, p); got != want {
			t.Errorf("%d%% of 1 to 100: %d, want %d", p, got, want)
		}
	}
}

func TestInvocations(t *testing.T) {
	results := outcomes(t, resultText)
	results[1].Sleeps = 3
	rows, err := Invocations(results, 2, "cgroup:/fn/")
	if err != nil {
		t.Fatal(err)
	}
	// 185 ns used of 2 CPUs for 250 ns; waited: 200 - 100 - 20.
	want := stream.Invocation{
		Class: "long", Key: "cgroup:/fn/long", Invocation: "2", ArrivalNs: 50, CPUNs: 100,
		EndNs: stream.OptNanos{Nanos: 250, Valid: true}, WaitNs: 80, BlockNs: 20, CPUs: 2, UtilPct: 37, Sleeps: 3,
	}
	if diff := cmp.Diff(want, rows[1]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	rows, err = Invocations(outcomes(t, resultText)[:1], 1, "")
	if err != nil || rows[0].Key != "" {
		t.Errorf("key %q without a prefix, error %v", rows[0].Key, err)
	}
	if _, err := Invocations(nil, 0, ""); err == nil {
		t.Error("no CPUs were not refused")
	}
}
