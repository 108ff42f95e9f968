package compare

import (
	"slices"
	"testing"

	"alps/internal/workload"
)

// A recording has each invocation as last seen.
func TestRecording(t *testing.T) {
	var r Recording
	if _, err := read(t, header+"1,a,x,3,5,,0,4,1,50\n1,a,y,4,6,,0,0,1,50\n2,a,x,3,9,99,0,8,1,50\n2,b,z,50,1,,0,0,1,50\n", &r); err != nil {
		t.Fatal(err)
	}
	want := []workload.Recorded{
		{ID: "x", Class: "a", ArrivalNs: 3, CPUNs: 9, BlockNs: 8, Sleeps: 1},
		{ID: "y", Class: "a", ArrivalNs: 4, CPUNs: 6, Running: true},
		{ID: "z", Class: "b", ArrivalNs: 50, CPUNs: 1, Running: true},
	}
	if got := r.Invocations(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	for row, want := range map[string]string{
		"1,a,y,0,86400000000001,,0,0,1,50\n": "in:3: cpu_ns: 86400000000001 is more than a day, the most that can be run again",
		"1,a,y,0,1,,0,86400000000001,1,50\n": "in:3: block_ns: 86400000000001 is more than a day, the most that can be run again",
	} {
		if _, err := read(t, header+"1,a,x,0,5,,0,0,1,50\n"+row, &Recording{}); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
