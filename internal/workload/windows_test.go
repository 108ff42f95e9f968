package workload

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"alps/internal/stream"
)

func TestWindows(t *testing.T) {
	trace := Trace{
		// Computes from 4 to 7 ms, 11 to 14 and 18 to 21.
		{ArrivalNs: 4 * ms, Class: "io", CPUNs: 9 * ms, Sleeps: 2, SleepNs: 4 * ms},
		// From one edge exactly to the next.
		{ArrivalNs: 10 * ms, Class: "edge", CPUNs: 10 * ms},
		{ArrivalNs: 30 * ms, Class: "nothing"},
		{ArrivalNs: 52 * ms, Class: "io", CPUNs: 3 * ms},
	}
	// Of 2 x 10 ms: 3 ms; 5 and 10 ms; 1 ms; none; and 3 ms of 2 x 5.
	const want = `window,rows,class,key,invocation,arrival_ns,cpu_ns,end_ns,wait_ns,block_ns,cpus,util_pct,begin_ns,sleeps,switches,lost,kind
0,1,io,comm:fn-io,1,4000000,3000000,,0,3000000,2,15,0,1,0,0,
10,2,io,comm:fn-io,1,4000000,8000000,,0,8000000,2,75,10000000,2,0,0,
10,2,edge,comm:fn-edge,2,10000000,10000000,20000000,0,0,2,75,10000000,0,0,0,
20,1,io,comm:fn-io,1,4000000,9000000,21000000,0,8000000,2,5,20000000,2,0,0,
30,1,nothing,comm:fn-nothing,3,30000000,0,30000000,0,0,2,0,30000000,0,0,0,
50,1,io,comm:fn-io,4,52000000,3000000,55000000,0,0,2,30,50000000,0,0,0,
`
	var text strings.Builder
	o := WindowOptions{Length: 10 * time.Millisecond, CPUs: 2, KeyPrefix: "comm:fn-"}
	if err := WriteWindows(stream.NewWriter[stream.Invocation](&text), trace, o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWindowsOfNothing(t *testing.T) {
	for range windowsOf(t, nil, WindowOptions{Length: DefaultWindowLength, CPUs: 1}) {
		t.Error("a trace without requests has a window")
	}
}

func TestWindowsOverload(t *testing.T) {
	trace := Trace{{Class: "a", CPUNs: 15 * ms}, {Class: "a", CPUNs: 15 * ms}}
	o := WindowOptions{Length: 10 * time.Millisecond, CPUs: 1}
	got := windowsOf(t, trace, o)
	if len(got) != 2 || got[0][0].UtilPct != 100 || got[10][0].UtilPct != 100 || got[0][0].Key != "" {
		t.Errorf("%+v, want two windows of 100%% and no keys", got)
	}
}

func TestWindowsRefuses(t *testing.T) {
	good := WindowOptions{Length: time.Second, CPUs: 1}
	for want, test := range map[string]struct {
		trace Trace
		o     WindowOptions
	}{
		"windows of 999µs are not":                        {nil, WindowOptions{Length: 999 * time.Microsecond, CPUs: 1}},
		"windows of 2562047h47m16.854775807s are not":     {nil, WindowOptions{Length: math.MaxInt64, CPUs: 1}},
		"0 CPUs are too few":                              {nil, WindowOptions{Length: time.Second}},
		"request 2: it is before the arrival above":       {Trace{{ArrivalNs: 1}, {}}, good},
		"request 1: {ArrivalNs:-1 ":                       {Trace{{ArrivalNs: -1}}, good},
		"CPUNs:-1 ":                                       {Trace{{CPUNs: -1}}, good},
		"SleepNs:-1}":                                     {Trace{{SleepNs: -1}}, good},
		"Sleeps:-1 ":                                      {Trace{{Sleeps: -1}}, good},
		"request 1: 1000001 sleeps":                       {Trace{{Sleeps: maxSleeps + 1}}, good},
		"request 1: it would end at 9.22e+18 ns":          {Trace{{ArrivalNs: math.MaxInt64}}, good},
		"request 2: it would end at 9.22e+24 ns":          {Trace{{}, {Sleeps: maxSleeps, SleepNs: math.MaxInt64}}, good},
		"making windows of a trace: request 1: it would ": {Trace{{ArrivalNs: maxTimeNs, CPUNs: 1 << 20}}, good},
	} {
		if _, err := Windows(test.trace, test.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestWindowerRefuses(t *testing.T) {
	windows := 0
	w, err := NewWindower(WindowOptions{Length: time.Second, CPUs: 1}, func(stream.Integer, []stream.Invocation) error {
		windows++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.maxRows = 2
	for _, test := range []struct {
		arrivalNs int64
		want      string
	}{
		{1000 * ms, ""}, {1001 * ms, ""},
		{1000 * ms, "making windows of a trace: request 3: it is before the arrival above it"},
		{1002 * ms, "window 1000 has more than 2 invocations"},
		{2000 * ms, ""},
		{-1, "making windows of a trace: request 6: {ArrivalNs:-1"},
	} {
		err := w.Add(Request{ArrivalNs: test.arrivalNs, Class: "a", CPUNs: ms})
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("arrival %d: error %v, want %q", test.arrivalNs, err, test.want)
		}
	}
	if err := w.Close(); err != nil || windows != 2 {
		t.Errorf("%d windows, error %v; want 2", windows, err)
	}
	w, _ = NewWindower(WindowOptions{Length: time.Second, CPUs: 1}, func(stream.Integer, []stream.Invocation) error { return errStopped })
	if err := errors.Join(w.Add(Request{Class: "a"}), w.Close()); !errors.Is(err, errStopped) {
		t.Errorf("error %v of emit is not returned", err)
	}
}

func TestAfter(t *testing.T) {
	// Parts of 3, 2 and 2 ns.
	odd := Request{CPUNs: 7, Sleeps: 2, SleepNs: 5}
	asleep := Request{Sleeps: 2, SleepNs: 5}
	restless := Request{CPUNs: 4, Sleeps: 1}
	for _, test := range []struct {
		request Request
		ns      int64
		want    progress
	}{
		{odd, 0, progress{}},
		{odd, 3, progress{cpuNs: 3}},
		{odd, 4, progress{cpuNs: 3, blockNs: 1, sleeps: 1}},
		{odd, 8, progress{cpuNs: 3, blockNs: 5, sleeps: 1}},
		{odd, 10, progress{cpuNs: 5, blockNs: 5, sleeps: 1}},
		{odd, 11, progress{cpuNs: 5, blockNs: 6, sleeps: 2}},
		{odd, 16, progress{cpuNs: 6, blockNs: 10, sleeps: 2}},
		{odd, 17, progress{cpuNs: 7, blockNs: 10, sleeps: 2, ended: true}},
		{odd, 99, progress{cpuNs: 7, blockNs: 10, sleeps: 2, ended: true}},
		{asleep, 0, progress{}},
		{asleep, 1, progress{blockNs: 1, sleeps: 1}},
		{asleep, 5, progress{blockNs: 5, sleeps: 1}},
		{asleep, 9, progress{blockNs: 9, sleeps: 2}},
		{restless, 1, progress{cpuNs: 1}},
		{restless, 3, progress{cpuNs: 3, sleeps: 1}},
		{Request{SleepNs: 9}, 0, progress{ended: true}},
	} {
		if got := test.request.after(test.ns); got != test.want {
			t.Errorf("%+v after %d ns: %+v, want %+v", test.request, test.ns, got, test.want)
		}
	}
}

// walk does what runner.c does, part by part, for so long.
func walk(r Request, ns int64) (cpuNs, blockNs int64) {
	parts := r.Sleeps + 1
	for i := range parts {
		if i > 0 {
			slept := min(ns, r.SleepNs)
			blockNs, ns = blockNs+slept, ns-slept
		}
		part := r.CPUNs / parts
		if i < r.CPUNs%parts {
			part++
		}
		ran := min(ns, part)
		cpuNs, ns = cpuNs+ran, ns-ran
	}
	return cpuNs, blockNs
}

func TestAfterLikeTheRunner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		ns := rapid.Int64Range(0, r.durationNs()+2).Draw(t, "ns")
		cpuNs, blockNs := walk(r, ns)
		got := r.after(ns)
		if got.cpuNs != cpuNs || got.blockNs != blockNs || got.ended != (ns >= r.durationNs()) {
			t.Fatalf("%+v after %d ns: %+v, want CPU %d, sleep %d", r, ns, got, cpuNs, blockNs)
		}
		if r.SleepNs > 0 && got.sleeps != (blockNs+r.SleepNs-1)/r.SleepNs {
			t.Fatalf("%+v after %d ns: %d sleeps in %d ns", r, ns, got.sleeps, blockNs)
		}
	})
}

func drawRequest(t *rapid.T) Request {
	return Request{
		Class:  rapid.SampledFrom([]string{"a", "b"}).Draw(t, "class"),
		CPUNs:  rapid.Int64Range(0, 20).Draw(t, "cpu"),
		Sleeps: rapid.Int64Range(0, 4).Draw(t, "sleeps"), SleepNs: rapid.Int64Range(0, 10).Draw(t, "sleep"),
	}
}

// windowsOf returns copies of all windows.
func windowsOf(t rapid.TB, trace Trace, o WindowOptions) map[stream.Integer][]stream.Invocation {
	t.Helper()
	windows, err := Windows(trace, o)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[stream.Integer][]stream.Invocation)
	for id, rows := range windows {
		if _, twice := all[id]; twice || len(rows) == 0 {
			t.Fatal("window ", id, " has no rows or is there twice")
		}
		all[id] = slices.Clone(rows)
	}
	return all
}

func TestWindowsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var trace Trace
		var arrival int64
		for range rapid.IntRange(1, 8).Draw(t, "requests") {
			r := drawRequest(t)
			arrival += rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64Range(0, 40)).Draw(t, "gap")
			r.ArrivalNs = arrival * ms
			r.CPUNs *= rapid.SampledFrom([]int64{1, ms}).Draw(t, "unit")
			r.SleepNs *= ms
			trace = append(trace, r)
		}
		o := WindowOptions{
			Length: time.Duration(rapid.Int64Range(1, 30).Draw(t, "window")) * time.Millisecond,
			CPUs:   rapid.IntRange(1, 3).Draw(t, "cpus"),
		}
		all := windowsOf(t, trace, o)
		if !maps.EqualFunc(all, windowsOf(t, trace, o), slices.Equal) {
			t.Fatal("the same trace gave other windows")
		}
		checkWindows(t, trace, o, all)
	})
}

// checkWindows asserts what holds of the windows of any trace, from their rows
// alone.
func checkWindows(t *rapid.T, trace Trace, o WindowOptions, all map[stream.Integer][]stream.Invocation) {
	last := make(map[stream.Name]stream.Invocation)
	var traceEnd int64
	for i := range trace {
		traceEnd = max(traceEnd, trace[i].ArrivalNs+trace[i].durationNs())
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		beginNs := int64(id) * ms
		endNs := beginNs + o.Length.Nanoseconds()
		if beginNs%o.Length.Nanoseconds() != 0 {
			t.Fatalf("window %d is not a whole number of windows after 0", id)
		}
		var grownNs, before int64
		for _, row := range all[id] {
			n, err := strconv.ParseInt(string(row.Invocation), 10, 64)
			if err != nil || n <= before || n > int64(len(trace)) {
				t.Fatalf("window %d: invocation %s after %d", id, row.Invocation, before)
			}
			before = n
			r := trace[n-1]
			seen, again := last[row.Invocation]
			switch {
			case string(row.Class) != r.Class || int64(row.ArrivalNs) != r.ArrivalNs || row.WaitNs != 0 ||
				!row.BeginNs.Valid || int64(row.BeginNs.Nanos) != beginNs || int(row.CPUs) != o.CPUs:
				t.Fatalf("window %d: %+v is not of %+v", id, row, r)
			case r.ArrivalNs >= endNs || again != (r.ArrivalNs < beginNs):
				t.Fatalf("window %d: %+v, seen before: %v", id, row, again)
			case again && (seen.EndNs.Valid || seen.BeginNs.Nanos+stream.Nanos(o.Length) != row.BeginNs.Nanos):
				t.Fatalf("window %d: %+v comes after %+v", id, row, seen)
			case row.CPUNs < seen.CPUNs || row.BlockNs < seen.BlockNs || row.Sleeps < seen.Sleeps:
				t.Fatalf("window %d: %+v has shrunk from %+v", id, row, seen)
			case row.EndNs.Valid && (int64(row.EndNs.Nanos) < beginNs || int64(row.EndNs.Nanos) > endNs):
				t.Fatalf("window %d: %+v ended out of it", id, row)
			case !row.EndNs.Valid && int64(row.CPUNs+row.BlockNs) != endNs-r.ArrivalNs:
				t.Fatalf("window %d: %+v waited", id, row)
			}
			grownNs += int64(row.CPUNs - seen.CPUNs)
			last[row.Invocation] = row
		}
		lengthNs := max(1, min(endNs, traceEnd)-beginNs)
		util := min(100, 100*float64(grownNs)/float64(lengthNs)/float64(o.CPUs))
		for _, row := range all[id] {
			if math.Abs(float64(row.UtilPct)-util) > 0.005001 {
				t.Fatalf("window %d: utilisation %v%%, want %v%%", id, row.UtilPct, util)
			}
		}
	}
	for i, r := range trace {
		row := last[stream.Name(strconv.Itoa(i+1))]
		if int64(row.CPUNs) != r.CPUNs || int64(row.BlockNs) != r.Sleeps*r.SleepNs || int64(row.Sleeps) != r.Sleeps ||
			!row.EndNs.Valid || int64(row.EndNs.Nanos) != r.ArrivalNs+r.durationNs() {
			t.Fatalf("the last row of %+v is %+v", r, row)
		}
	}
}

// What was asked of a generated workload is what its windows show.
func TestWindowsOfGenerated(t *testing.T) {
	for _, cv := range []float64{SteadyCV, PoissonCV, BurstyCV} {
		s := sleepingSynthetic()
		s.Invocations, s.GapCV, s.Load.CPUs, s.Load.UtilisationPct = 20_000, cv, 4, 60
		o := WindowOptions{Length: DefaultWindowLength, CPUs: 4}
		all := windowsOf(t, generate(t, s), o)
		var arrived Trace
		var utils []float64
		for _, id := range slices.Sorted(maps.Keys(all)) {
			utils = append(utils, float64(all[id][0].UtilPct))
			for _, row := range all[id] {
				if row.ArrivalNs >= row.BeginNs.Nanos {
					arrived = append(arrived, Request{ArrivalNs: int64(row.ArrivalNs)})
				}
			}
		}
		if len(arrived) != s.Invocations {
			t.Fatalf("%d invocations arrived, want %d", len(arrived), s.Invocations)
		}
		if _, got := moments(gapsOf(arrived)); math.Abs(got/cv-1) > 0.06 {
			t.Errorf("the gaps vary by %.3f, want %v", got, cv)
		}
		// The last window is an odd one.
		if mean, _ := moments(utils[:len(utils)-1]); math.Abs(mean-60) > 2 {
			t.Errorf("utilisation %.2f%% in %d windows, want 60%%", mean, len(utils)-1)
		}
	}
}

var errFull = errors.New("full")

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

func TestWriteWindowsError(t *testing.T) {
	out := stream.NewWriter[stream.Invocation](fullWriter{})
	trace := Trace{{Class: "a", CPUNs: 5 * ms}}
	if err := WriteWindows(out, trace, WindowOptions{Length: time.Millisecond, CPUs: 1}); !errors.Is(err, errFull) {
		t.Errorf("error %v, want that of the output", err)
	}
}
