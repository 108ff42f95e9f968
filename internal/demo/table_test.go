package demo

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"alps/internal/workload"
)

// outcome is an invocation that took so many ms.
func outcome(id, class string, demandMs, tookMs int64) workload.Outcome {
	return workload.Outcome{
		Invocation: id, Class: class, ArrivalNs: 7e6, EndNs: 7e6 + tookMs*1e6,
		DemandNs: demandMs * 1e6, CPUNs: demandMs * 1e6, Voluntary: 1, Involuntary: tookMs,
	}
}

func TestTable(t *testing.T) {
	kernel := []workload.Outcome{outcome("1", "long", 100, 400), outcome("2", "short", 10, 40), outcome("3", "short", 10, 60)}
	alps := []workload.Outcome{outcome("1", "long", 100, 300), outcome("2", "short", 10, 12), outcome("3", "short", 10, 18)}
	table, err := newTable(kernel, alps, map[string]int64{"1": 150e6, "2": 10e6, "3": 14e6})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		class           string
		ratio, overSRPT float64
	}{
		{"short", 15. / 50, 15. / 12},
		{"long", 300. / 400, 300. / 150},
		{"all", 330. / 500, 330. / 174},
	} {
		r := table.Rows[i]
		if r.Kernel.Class != want.class || !near(r.Ratio(), want.ratio) || !near(r.RatioToSRPT(), want.overSRPT) {
			t.Errorf("row %d: %s %v %v, want %+v", i, r.Kernel.Class, r.Ratio(), r.RatioToSRPT(), want)
		}
	}
	if got := table.Longest().Kernel.Class; got != "long" {
		t.Errorf("the longest class is %s", got)
	}

	table.Kernel, table.CPUs = "Linux 7.3.4", 2
	var text strings.Builder
	if err := table.Write(&text); err != nil {
		t.Fatal(err)
	}
	const want = `CPU time and turnaround in ms on 2 CPUs, under Linux 7.3.4's own scheduler, under ALPS, and under SRPT, the ideal.

            CPU   --------- Linux 7.3.4 ----------   ------------- ALPS -------------   SRPT     ALPS over
class  n   mean   mean   p50   p90   p99  switches   mean   p50   p90   p99  switches   mean   Linux  SRPT
short  2   10.0   50.0  40.0  60.0  60.0       102   15.0  12.0  18.0  18.0        32   12.0    0.30  1.25
long   1    100    400   400   400   400       401    300   300   300   300       301    150    0.75  2.00
all    3   40.0    167  60.0   400   400       503    110  18.0   300   300       333   58.0    0.66  1.90

Mean turnaround under ALPS: 0.66 of that under Linux 7.3.4, 1.90 of that under SRPT; context switches: 0.66.
`
	if text.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", text.String(), want)
	}
	narrow(t, text.String())
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }

// narrow checks that a text fits on a terminal of 120 columns.
func narrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 120 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
}

func TestTableIsNarrowWithLargeNumbers(t *testing.T) {
	var kernel, alps []workload.Outcome
	srptNs := make(map[string]int64)
	for i := range 1300 {
		id := fmt.Sprint(i)
		o := outcome(id, "c09", 2345, 23456)
		o.Involuntary = 87
		kernel, alps, srptNs[id] = append(kernel, o), append(alps, o), 12345e6
	}
	table, err := newTable(kernel, alps, srptNs)
	if err != nil {
		t.Fatal(err)
	}
	table.Kernel, table.CPUs = "Linux 6.18.15", 2
	var text strings.Builder
	if err := table.Write(&text); err != nil {
		t.Fatal(err)
	}
	narrow(t, text.String())
}

func TestTableRefusesOtherWorkloads(t *testing.T) {
	one := []workload.Outcome{outcome("1", "a", 10, 20), outcome("2", "b", 20, 40)}
	srptNs := map[string]int64{"1": 1, "2": 1}
	for name, test := range map[string]struct {
		alps   []workload.Outcome
		srptNs map[string]int64
		want   string
	}{
		"none":           {nil, srptNs, "2 invocations"},
		"fewer":          {one[:1], srptNs, "and 1 under ALPS"},
		"another class":  {[]workload.Outcome{one[0], outcome("2", "c", 20, 40)}, srptNs, "different"},
		"fewer classes":  {[]workload.Outcome{one[0], outcome("2", "a", 20, 40)}, srptNs, "different"},
		"never had SRPT": {one, map[string]int64{"1": 1}, "invocation 2 has no turn"},
	} {
		if _, err := newTable(one, test.alps, test.srptNs); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

func TestMs(t *testing.T) {
	for ns, want := range map[float64]string{
		0: "0.000", 12_345: "0.012", 999_500: "1.00", 8_912_345: "8.91", 9_996_000: "10.0", 99_940_000: "99.9", 99_960_000: "100", 17_704e6: "17704",
	} {
		if got := ms(ns); got != want {
			t.Errorf("ms(%v) = %s, want %s", ns, got, want)
		}
	}
}
