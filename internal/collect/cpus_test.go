package collect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const stat = `cpu  300 0 300 1400 0 0 0 0 0 0
cpu0 100 1 200 600 50 2 3 4 7 0
cpu3 200 0 100 700 0 0 0 0 0 0
intr 12345 0 1
ctxt 99
`

func TestParseCPUTimes(t *testing.T) {
	got, err := parseCPUTimes(strings.NewReader(stat))
	if err != nil {
		t.Fatal(err)
	}
	// Stolen time (4) is busy, waiting for I/O (50) is idle, and what guests
	// used (7) is in user already.
	want := map[int]cpuTimes{0: {busy: 310, all: 960}, 3: {busy: 300, all: 1000}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(cpuTimes{})); diff != "" {
		t.Error(diff)
	}
}

func TestUtilisation(t *testing.T) {
	before := map[int]cpuTimes{0: {10, 100}, 1: {10, 100}, 2: {10, 100}, 3: {10, 100}}
	after := map[int]cpuTimes{0: {110, 200}, 1: {10, 200}, 2: {60, 200}, 4: {1, 1}}
	for _, test := range []struct {
		cpus []int
		want float64
	}{
		{[]int{0}, 100}, {[]int{1}, 0}, {[]int{2}, 50}, {[]int{0, 1, 2}, 50},
		{[]int{0, 3}, 100}, // 3 went offline
		{[]int{1, 4}, 0},   // 4 came online
		{[]int{3}, 0},
	} {
		if got := utilisation(test.cpus, before, after); got != test.want {
			t.Errorf("CPUs %v: %v, want %v", test.cpus, got, test.want)
		}
	}
}

func TestCPUs(t *testing.T) {
	online := map[int]cpuTimes{0: {}, 2: {}, 3: {}, 5: {}}
	for text, want := range map[string][]int{
		"":      {0, 2, 3, 5},
		"1":     {0},
		"3":     {0, 2, 3},
		"2-3":   {2, 3},
		"5,2-3": {2, 3, 5},
		"3-3":   {3},
		"0,0":   {0},
	} {
		cpus, err := ParseCPUs(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got, err := cpus.pick(online)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
	for _, text := range []string{"0", "-1", "x", "1.5", "3-2", "1,", "1-", "0-99999999"} {
		if cpus, err := ParseCPUs(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, cpus)
		}
	}
	for _, text := range []string{"5", "0-1", "9,9"} {
		cpus, err := ParseCPUs(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := cpus.pick(online); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}
