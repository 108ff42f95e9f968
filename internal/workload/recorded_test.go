package workload

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var asRecorded = RecordedOptions{SampleOf: 1}

func TestFromRecorded(t *testing.T) {
	recorded := []Recorded{
		{ID: "late", Class: "b", ArrivalNs: 700, CPUNs: 5, BlockNs: 11, Sleeps: 4},
		{ID: "idle", Class: "c", ArrivalNs: 90},
		{ID: "early", Class: "a", ArrivalNs: 20, CPUNs: 7, Running: true},
		{ID: "first", Class: "a", ArrivalNs: 150, CPUNs: 9, BlockNs: 1, Sleeps: 9},
	}
	o := asRecorded
	o.BeginNs = 100
	trace, changes, err := FromRecorded(recorded, o)
	want := Trace{
		{ArrivalNs: 0, Class: "a", CPUNs: 7},
		{ArrivalNs: 50, Class: "a", CPUNs: 9, Sleeps: 9, SleepNs: 1},
		{ArrivalNs: 600, Class: "b", CPUNs: 5, Sleeps: 4, SleepNs: 3},
	}
	if diff := cmp.Diff(want, trace); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(Changes{Running: 1, Early: 1, Idle: 1}, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}

	// 21 ns at 50% of two CPUs are 21 ns: gaps of 50 and 550 and their mean, 300.
	o.UtilisationPct, o.CPUs = 50, 2
	trace, _, err = FromRecorded(recorded, o)
	if err != nil || trace[1].ArrivalNs != 1 || trace[2].ArrivalNs != 14 || trace[2].CPUNs != 5 {
		t.Errorf("error %v, trace %v, want arrivals at 1 and 14", err, trace)
	}
}

func TestFromRecordedTakesPart(t *testing.T) {
	var recorded []Recorded
	for i := range 100 {
		recorded = append(recorded, Recorded{Class: "a", ArrivalNs: int64(i), CPUNs: 1})
	}
	o := asRecorded
	o.Limit = 7
	if trace, _, err := FromRecorded(recorded, o); err != nil || len(trace) != 7 || trace[6].ArrivalNs != 6 {
		t.Errorf("error %v, %v, want the first 7", err, trace)
	}
	o = RecordedOptions{SampleOf: 4, Seed: 1}
	one, _, err := FromRecorded(recorded, o)
	if err != nil || len(one) != 25 {
		t.Fatalf("error %v, %d invocations, want a quarter", err, len(one))
	}
	o.Seed = 2
	if other, _, _ := FromRecorded(recorded, o); slices.Equal(one, other) {
		t.Error("another seed takes the same sample")
	}
}

func TestFromRecordedRefuses(t *testing.T) {
	one := []Recorded{{ID: "x", Class: "a", ArrivalNs: 1, CPUNs: 1}}
	many := make([]Recorded, maxClasses+1)
	for i := range many {
		many[i] = Recorded{Class: fmt.Sprint(i), CPUNs: 1}
	}
	for want, test := range map[string]struct {
		recorded []Recorded
		o        RecordedOptions
	}{
		"making a trace: a sample of 1/0":                  {one, RecordedOptions{}},
		"a limit of -1 is below 0":                         {one, RecordedOptions{SampleOf: 1, Limit: -1}},
		"utilisation -1% is not":                           {one, RecordedOptions{SampleOf: 1, UtilisationPct: -1, CPUs: 1}},
		"0 CPUs are too few":                               {one, RecordedOptions{SampleOf: 1, UtilisationPct: 50}},
		"one invocation has no utilisation":                {one, RecordedOptions{SampleOf: 1, UtilisationPct: 50, CPUs: 1}},
		"no invocation is left":                            {[]Recorded{{Class: "a"}}, asRecorded},
		"more than 4096 classes":                           {many, asRecorded},
		`invocation "far": it would end at`:                {append(one, Recorded{ID: "far", Class: "a", ArrivalNs: maxTimeNs + 1<<20, CPUNs: 1}), asRecorded},
		`invocation "x": 1000001 sleeps are more`:          {[]Recorded{{ID: "x", Class: "a", CPUNs: 1, BlockNs: 1, Sleeps: maxSleeps + 1}}, asRecorded},
		"all requests arrive at one time, so no utilisati": {append(one, one...), RecordedOptions{SampleOf: 1, UtilisationPct: 50, CPUs: 1}},
	} {
		if _, _, err := FromRecorded(test.recorded, test.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestFromRecordedRenames(t *testing.T) {
	long := strings.Repeat("x", maxClassLen)
	var recorded []Recorded
	for i, class := range []string{"ns/fn", "fine", "ns fn", ".hidden", "ns_fn", long + "1", long, "größe", "ns/fn"} {
		recorded = append(recorded, Recorded{Class: class, ArrivalNs: int64(i), CPUNs: 1})
	}
	trace, changes, err := FromRecorded(recorded, asRecorded)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range trace {
		got = append(got, r.Class)
	}
	want := []string{"ns_fn-2", "fine", "ns_fn-3", "_hidden", "ns_fn", long[2:] + "-2", long, "gr__e", "ns_fn-2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(changes.Renamed) != 5 || changes.Renamed[0] != (Renamed{"ns/fn", "ns_fn-2"}) {
		t.Errorf("renamed %v, want five, the first ns/fn", changes.Renamed)
	}
}

// Whatever the classes are called, the runner takes their names, none is that
// of two, and those that it takes stay.
func TestSafeClasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.StringMatching(`[./a_-]{1,3}(-[23])?`), rapid.String(), rapid.StringMatching(`[a/]{62,66}`))
		classes := rapid.SliceOfNDistinct(name, 1, 30, rapid.ID[string]).Draw(t, "classes")
		recorded := make([]Recorded, len(classes))
		for i, class := range classes {
			recorded[i].Class = class
		}
		names, renamed, err := safeClasses(recorded)
		if err != nil {
			t.Fatal(err)
		}
		of := make(map[string]string)
		changed := 0
		for _, class := range classes {
			name := names[class]
			if other, twice := of[name]; twice {
				t.Fatalf("%q and %q are both called %s", class, other, name)
			}
			of[name] = class
			if err := CheckClass(name); err != nil {
				t.Fatalf("%q: %v", class, err)
			}
			if CheckClass(class) != nil {
				changed++
			} else if name != class {
				t.Fatalf("%s is called %s", class, name)
			}
		}
		if len(renamed) != changed {
			t.Fatalf("%d classes are said to be renamed, but %d are", len(renamed), changed)
		}
	})
}
