package workload

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// published opens a file of the published traces, which are no part of this
// repository. Where they are not there, the test is skipped.
func published(t *testing.T, name string) *os.File {
	t.Helper()
	dir := os.Getenv("ALPS_TRACES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "traces") // ../shared/traces from the root
	}
	file, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no published traces: %v (set ALPS_TRACES to their directory)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

const alpsText = "1 9 graphPagerank 20 5010\n2 100 graphBfs 26 5008\n\n3 9 graphPagerank 28 5010\n"

func readPublished(t *testing.T, text string, format Format) []Published {
	t.Helper()
	requests, err := ReadPublished(strings.NewReader(text), "f", format)
	if err != nil {
		t.Fatal(err)
	}
	return requests
}

func TestReadPublished(t *testing.T) {
	// 0.21 x 20, 26 and 28 are 4.2, 5.46 and 5.88 ms, of which whole ms count.
	want := []Published{
		{Line: 1, Arrival: 4, Function: "graphPagerank", Argument: "9", Port: "5010"},
		{Line: 2, Arrival: 9, Function: "graphBfs", Argument: "100", Port: "5008"},
		{Line: 4, Arrival: 14, Function: "graphPagerank", Argument: "9", Port: "5010"},
	}
	if diff := cmp.Diff(want, readPublished(t, alpsText, FormatALPS)); diff != "" {
		t.Errorf("ALPS (-want +got):\n%s", diff)
	}
	want = []Published{{Line: 1, Arrival: 5, Function: "fib", Argument: "27"}, {Line: 2, Arrival: 7, Function: "fib", Argument: "21"}}
	if diff := cmp.Diff(want, readPublished(t, "fib1 fib.py 27 5 1\nfib2 fib.py 21 7 2\n", FormatSFS)); diff != "" {
		t.Errorf("SFS (-want +got):\n%s", diff)
	}
}

func TestReadPublishedRefuses(t *testing.T) {
	for _, test := range []struct {
		format     Format
		text, want string
	}{
		{FormatALPS, "", "reading f: no request in it"},
		{FormatALPS, "1 9 fib 20\n", "f:1: 4 fields instead of 5"},
		{FormatALPS, "1 9 fib 20 1\n1 9 fib x 1\n", `f:2: gap: "x" is not a whole number`},
		{FormatALPS, "1 9 fib -1 1\n", `f:1: gap: "-1" is not`},
		{FormatSFS, "a fib.py 1 7 1\na fib.py 1 6 2\n", "f:2: time: 6 is before"},
		{"azure", "", `reading f: "azure" is no format`},
	} {
		_, err := ReadPublished(strings.NewReader(test.text), "f", test.format)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s %q: error %v, want %q", test.format, test.text, err, test.want)
		}
	}
}

func TestReadDemands(t *testing.T) {
	const header = "function,argument,cpu_ms,source\n"
	got, err := ReadDemands(strings.NewReader(header+"fib,20,13,x\nfib,21,14.5,\"y, z\"\n"), "f")
	want := Demands{{"fib", "20"}: 13 * time.Millisecond, {"fib", "21"}: 14500 * time.Microsecond}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	for text, want := range map[string]string{
		"function,argument\n":               "f:1: cpu_ms: the column is missing",
		header + "fib,20,0,\n":              `f:2: cpu_ms: "0" is not a number over 0`,
		header + "fib,20,1,\nfib,20,NaN,\n": "f:3: argument: fib 20 is there twice",
	} {
		if _, err := ReadDemands(strings.NewReader(text), "f"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestFromPublished(t *testing.T) {
	replay := Replay{
		Demands:  Demands{{"graphPagerank", "9"}: 12 * time.Millisecond, {"graphBfs", "100"}: 8 * time.Millisecond},
		ClassBy:  ClassByArgument,
		SampleOf: 1,
		Load:     Load{UtilisationPct: 80, CPUs: 2},
	}
	trace, err := FromPublished(readPublished(t, alpsText, FormatALPS), replay)
	// 32 ms of demand at 80% of 2 CPUs last 20 ms, and the gaps are 5, 5 and,
	// after the last, the mean of them.
	third := int64(math.Round(20e6 / 3))
	want := Trace{
		{ArrivalNs: 0, Class: "graphPagerank-9", CPUNs: 12e6},
		{ArrivalNs: third, Class: "graphBfs-100", CPUNs: 8e6},
		{ArrivalNs: 2*third - 1, Class: "graphPagerank-9", CPUNs: 12e6},
	}
	if diff := cmp.Diff(want, trace); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}

	replay.ClassBy, replay.Limit = ClassByPort, 2
	trace, err = FromPublished(readPublished(t, alpsText, FormatALPS), replay)
	if err != nil || len(trace) != 2 || trace[0].Class != "port-5010" || trace[1].Class != "port-5008" {
		t.Errorf("by port: %v, error %v", trace, err)
	}
}

// With a unit, requests arrive when they did.
func TestFromPublishedUnit(t *testing.T) {
	replay := Replay{
		Demands:  Demands{{"graphPagerank", "9"}: 12 * time.Millisecond, {"graphBfs", "100"}: 8 * time.Millisecond},
		ClassBy:  ClassByPort,
		SampleOf: 1,
		Load:     Load{CPUs: 2},
		Unit:     time.Millisecond,
	}
	trace, err := FromPublished(readPublished(t, alpsText, FormatALPS), replay)
	want := Trace{
		{ArrivalNs: 4 * ms, Class: "port-5010", CPUNs: 12e6},
		{ArrivalNs: 9 * ms, Class: "port-5008", CPUNs: 8e6},
		{ArrivalNs: 14 * ms, Class: "port-5010", CPUNs: 12e6},
	}
	if diff := cmp.Diff(want, trace); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	replay.Unit = maxTimeNs / 13
	if _, err := FromPublished(readPublished(t, alpsText, FormatALPS), replay); err == nil || !strings.Contains(err.Error(), "the request of line 4 arrives after") {
		t.Errorf("error %v", err)
	}
}

func TestFromPublishedSample(t *testing.T) {
	requests := make([]Published, 100)
	for i := range requests {
		requests[i] = Published{Arrival: int64(i), Function: "f", Argument: string(rune('a' + i%2))}
	}
	replay := Replay{
		Demands:  Demands{{"f", "a"}: time.Millisecond, {"f", "b"}: time.Second},
		ClassBy:  ClassByArgument,
		SampleOf: 24, Load: DefaultLoad, Seed: 1,
	}
	sample := func(seed uint64) Trace {
		replay.Seed = seed
		trace, err := FromPublished(requests, replay)
		if err != nil {
			t.Fatal(err)
		}
		return trace
	}
	first := sample(1)
	if len(first) != 4 { // 100/24 = 4.17
		t.Errorf("%d requests sampled, want 4", len(first))
	}
	if !cmp.Equal(first, sample(1)) {
		t.Error("the same seed took another sample")
	}
	if cmp.Equal(first, sample(2)) {
		t.Error("another seed took the same sample")
	}
}

func TestFromPublishedRefuses(t *testing.T) {
	demands := Demands{{"fib", "27"}: time.Millisecond, {"fib", "21"}: time.Millisecond}
	for want, replay := range map[string]Replay{
		"a sample of 1/0":            {Demands: demands, ClassBy: ClassByArgument, Load: DefaultLoad},
		"a unit of -1ns":             {Demands: demands, ClassBy: ClassByArgument, SampleOf: 1, Load: DefaultLoad, Unit: -1},
		"a limit of -1":              {Demands: demands, ClassBy: ClassByArgument, SampleOf: 1, Limit: -1, Load: DefaultLoad},
		"utilisation 0%":             {Demands: demands, ClassBy: ClassByArgument, SampleOf: 1},
		"has no ports":               {Demands: demands, ClassBy: ClassByPort, SampleOf: 1, Load: DefaultLoad},
		"say nothing of fib 27":      {ClassBy: ClassByArgument, SampleOf: 1, Load: DefaultLoad},
		`"size" makes no classes`:    {Demands: demands, ClassBy: "size", SampleOf: 1, Load: DefaultLoad},
		"a sample of 1 requests":     {Demands: demands, ClassBy: ClassByArgument, SampleOf: 2, Load: DefaultLoad},
		"all requests arrive at one": {Demands: demands, ClassBy: ClassByArgument, SampleOf: 1, Load: DefaultLoad},
	} {
		requests := readPublished(t, "fib1 fib.py 27 5 1\nfib2 fib.py 21 5 2\n", FormatSFS)
		if _, err := FromPublished(requests, replay); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestPublishedTraces(t *testing.T) {
	demands, err := ReadDemands(published(t, "demands.csv"), "demands.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		file                string
		format              Format
		requests, classes   int
		gapCV, gapTolerance float64
	}{
		{"alps-huawei.txt", FormatALPS, 15000, 18, 0.23, 0.01},
		{"alps-azure.txt", FormatALPS, 2000, 18, 0.23, 0.05},
		{"sfs.txt", FormatSFS, 10083, 14, 2.33, 0.01},
	} {
		t.Run(test.file, func(t *testing.T) {
			requests, err := ReadPublished(published(t, test.file), test.file, test.format)
			if err != nil {
				t.Fatal(err)
			}
			if len(requests) != test.requests {
				t.Errorf("%d requests, want %d", len(requests), test.requests)
			}
			// What makes a port fit for a class: it serves one function.
			functions := make(map[string]string)
			for _, d := range Deployments(requests) {
				if f := functions[d.Port]; d.Port != "" && f != "" && f != d.Function {
					t.Errorf("port %s serves %s and %s", d.Port, f, d.Function)
				}
				functions[d.Port] = d.Function
			}
			trace, err := FromPublished(requests, Replay{
				Demands: demands, ClassBy: ClassByArgument, SampleOf: 1, Load: DefaultLoad,
			})
			if err != nil {
				t.Fatal(err)
			}
			classes := make(map[string]bool)
			for _, r := range trace {
				classes[r.Class] = true
			}
			if len(classes) != test.classes {
				t.Errorf("%d classes, want %d", len(classes), test.classes)
			}
			if _, cv := moments(gapsOf(trace)); math.Abs(cv-test.gapCV) > test.gapTolerance {
				t.Errorf("the gaps vary by %.3f, want %v", cv, test.gapCV)
			}
		})
	}
}
