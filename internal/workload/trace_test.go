package workload

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTraceRoundTrip(t *testing.T) {
	for _, trace := range []Trace{
		{{ArrivalNs: 0, Class: "a", CPUNs: 5}, {ArrivalNs: 7, Class: "b.c-d_e", CPUNs: 0}},
		{{ArrivalNs: 0, Class: "a", CPUNs: 5}, {ArrivalNs: 0, Class: "a", CPUNs: 6, SleepNs: 7, Sleeps: 8}},
	} {
		var text strings.Builder
		if err := trace.Write(&text); err != nil {
			t.Fatal(err)
		}
		got, err := ReadTrace(strings.NewReader(text.String()), "stdin")
		if diff := cmp.Diff(trace, got); err != nil || diff != "" {
			t.Errorf("%q: error %v (-written +read):\n%s", text.String(), err, diff)
		}
	}
}

func TestReadTraceRefuses(t *testing.T) {
	const header = "arrival_ns,class,cpu_ns\n"
	for text, want := range map[string]string{
		"":                                "f:1: the header is missing",
		"arrival_ns,class\n":              "f:1: cpu_ns: the column is missing",
		"class,arrival_ns,class,cpu_ns\n": "f:1: class: the column is there twice",
		header + "1,a,1.5\n":              `f:2: cpu_ns: "1.5" is not a whole number`,
		header + "-1,a,1\n":               "f:2: arrival_ns: ",
		header + "1,,1\n":                 "f:2: class: ",
		header + "1,a/b,1\n":              `f:2: class: "a/b" is no class`,
		header + "1,..,1\n":               `f:2: class: ".." is no class`,
		header + "2,a,1\n\n1,a,1\n":       "f:4: arrival_ns: 1 is before the arrival above it",
		header + "2,a\n":                  "f:2: wrong number of fields",
	} {
		if _, err := ReadTrace(strings.NewReader(text), "f"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}
