package chart

import (
	"strings"
	"testing"

	"gonum.org/v1/plot"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		unit        Unit
		v           float64
		want, exact string
	}{
		{Ns, 0, "0 µs", "0 µs"}, {Ns, 5, "5 ns", "5.00 ns"}, {Ns, 1e3, "1 µs", "1.00 µs"}, {Ns, 999_600, "1 ms", "1.00 ms"},
		{Ns, 66.54e6, "66.5 ms", "66.5 ms"}, {Ns, 999.4e6, "999 ms", "999 ms"}, {Ns, 999.7e6, "1 s", "1.00 s"},
		{Ns, 1.2684e9, "1.27 s", "1.27 s"}, {Ns, 100e9, "100 s", "100 s"}, {Ns, 1e12, "1000 s", "1000 s"}, {Ns, -2e6, "−2 ms", "−2.00 ms"},
		{Number, 1, "1", "1.00"}, {Number, 9.999, "10", "10.0"}, {Number, 99.97, "100", "100"}, {Number, 0.12345, "0.123", "0.123"},
		{Number, 1234567, "1234567", "1234567"}, {Number, 2.5e9, "2.5e+09", "2.5e+09"},
		{Share, 0.5, "50 %", "50.0 %"}, {Share, -0.0333, "−3.33 %", "−3.3 %"},
	} {
		if got, exact := c.unit.format(c.v), c.unit.formatExact(c.v); got != c.want || exact != c.exact {
			t.Errorf("%v of unit %d is %q and %q, want %q and %q", c.v, c.unit, got, exact, c.want, c.exact)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		ticks    func(min, max float64) []plot.Tick
		min, max float64
		want     string
		minor    int
	}{
		{Ns.logTicks, 6e6, 20e9, "10 ms,100 ms,1 s,10 s", 4 + 3*8 + 1},
		{Ns.logTicks, 1e6, 30e6, "1 ms,2 ms,5 ms,10 ms,20 ms", 7},
		{Number.logTicks, 1, 3.2, "1,2,3", 0},
		{Number.logTicks, 1.02, 1.3, "1.05,1.10,1.15,1.20,1.25,1.30", 0},
		{Share.logTicks, 0.02, 1.5, "10 %,100 %", 16},
		{Number.logTicks, 1, 1e14, "1,100,10000,1000000,100000000,1e+10,1e+12,1e+14", 14*9 + 1 - 8},
		{Number.ticks, -1, 2, "−1.0,−0.5,0.0,0.5,1.0,1.5,2.0", 0},
		{Number.ticks, 0, 70, "0,20,40,60", 0},
		{Ns.ticks, 0, 2.4e9, "0.0 s,0.5 s,1.0 s,1.5 s,2.0 s", 0},
		{Ns.ticks, 0, 900e6, "0 ms,200 ms,400 ms,600 ms,800 ms", 0},
		{Share.ticks, -0.55, 0.4, "−40 %,−20 %,0 %,20 %,40 %", 0},
	} {
		var labels []string
		minor := 0
		for _, tick := range c.ticks(c.min, c.max) {
			if tick.Value < c.min || tick.Value > c.max {
				t.Errorf("from %v to %v: a tick at %v", c.min, c.max, tick.Value)
			}
			if tick.IsMinor() {
				minor++
			} else {
				labels = append(labels, tick.Label)
			}
		}
		if got := strings.Join(labels, ","); got != c.want || minor != c.minor {
			t.Errorf("from %v to %v: %s and %d between, want %s and %d", c.min, c.max, got, minor, c.want, c.minor)
		}
	}
}
