package tune

import (
	"math"
	"testing"
)

const ms = 1_000_000

func TestMeanAndStdev(t *testing.T) {
	tests := []struct {
		values      []int64
		mean, stdev float64
	}{
		{[]int64{7}, 7, 0},
		// Deviations -3 -1 -1 -1 0 0 2 4: squares 9+1+1+1+0+0+4+16 = 32; of 8
		// values that is 4, whose root is 2. (A sample's would be 2.138.)
		{[]int64{2, 4, 4, 4, 5, 5, 7, 9}, 5, 2},
		{[]int64{math.MaxInt64, math.MaxInt64}, math.MaxInt64, 0},
		{[]int64{0, 0}, 0, 0},
	}
	for _, test := range tests {
		if got := (Mean{}).Predict(test.values); got != test.mean {
			t.Errorf("mean of %v is %v, want %v", test.values, got, test.mean)
		}
		if got := stdev(test.values); got != test.stdev {
			t.Errorf("stdev of %v is %v, want %v", test.values, got, test.stdev)
		}
	}
}

func TestMedian(t *testing.T) {
	tests := []struct {
		values []int64
		want   int64
	}{
		{[]int64{3}, 3},
		{[]int64{9, 1, 5}, 5},
		{[]int64{4, 1}, 2}, // 2.5 rounded down
		{[]int64{10, 1, 3, 2}, 2},
		{[]int64{math.MaxInt64, math.MaxInt64 - 2}, math.MaxInt64 - 1},
	}
	for _, test := range tests {
		if got := median(test.values); got != test.want {
			t.Errorf("median is %d, want %d of %v", got, test.want, test.values)
		}
	}
}

func TestRoundNs(t *testing.T) {
	tests := []struct {
		ns   float64
		want int64
	}{
		{0, 0}, {0.49, 0}, {0.5, 1}, {1.5, 2}, {2.5, 3}, {-3, 0},
		{math.NaN(), 0}, {math.MaxInt64, math.MaxInt64}, {math.Inf(1), math.MaxInt64},
	}
	for _, test := range tests {
		if got := roundNs(test.ns); got != test.want {
			t.Errorf("roundNs(%v) is %d, want %d", test.ns, got, test.want)
		}
	}
}

func TestPenalty(t *testing.T) {
	tests := []struct {
		name                  string
		theta, gamma, l, want float64
	}{
		{"below theta", 50, 1, 49.9, 1},
		{"at theta: (100+50-50)/100", 50, 1, 50, 1},
		{"above theta: (100+50-90)/100", 50, 1, 90, 0.6},
		{"all busy: (100+50-100)/100", 50, 1, 100, 0.5},
		{"below theta, gamma does not matter", 50, 2, 49.9, 1},
		{"large gamma cuts more: (100+50-90)/200", 50, 2, 90, 0.3},
		{"small gamma cuts less: (100+50-90)/80", 50, 0.8, 90, 0.75},
		{"small gamma is capped: (100+50-90)/50 = 1.2", 50, 0.5, 90, 1},
		{"theta 0: (100+0-80)/100", 0, 1, 80, 0.2},
		{"theta 0, all busy", 0, 1, 100, 0},
		{"theta 100, not reached", 100, 1, 99, 1},
		{"theta 100, reached: (100+100-100)/200", 100, 2, 100, 0.5},
	}
	if got := (Params{NoOverload: true, Theta: 50, Gamma: 1}).penalty(90); got != 1 {
		t.Errorf("penalty without the rule is %v, want 1", got)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Params{Theta: test.theta, Gamma: test.gamma}.penalty(test.l)
			if got != test.want {
				t.Errorf("penalty is %v, want %v", got, test.want)
			}
		})
	}
}

func TestSlice(t *testing.T) {
	// The parameters but for those that a case is about.
	plain := Params{Alpha: 1, Beta: 0, Inertia: 0.3, MaxSliceNs: MaxSliceNs}
	with := func(change func(*Params)) Params {
		p := plain
		change(&p)
		return p
	}
	tests := []struct {
		name                            string
		params                          Params
		predicted, stdev, p, last, want float64
	}{
		{"predicted", plain, 10 * ms, 4 * ms, 1, 0, 10 * ms},
		{"alpha", with(func(p *Params) { p.Alpha = 1.5 }), 10 * ms, 4 * ms, 1, 0, 15 * ms},
		{"beta: 10-1*4", with(func(p *Params) { p.Beta = 1 }), 10 * ms, 4 * ms, 1, 0, 6 * ms},
		{"alpha and beta: 1.5*10-2*4", with(func(p *Params) { p.Alpha, p.Beta = 1.5, 2 }), 10 * ms, 4 * ms, 1, 0, 7 * ms},
		{"alpha ts < beta stdev gives 0", with(func(p *Params) { p.Beta = 3 }), 10 * ms, 4 * ms, 1, 0, 0},
		{"no misprediction: alpha and beta do not matter", with(func(p *Params) { p.NoMisprediction, p.Alpha, p.Beta = true, 1.5, 2 }), 10 * ms, 4 * ms, 1, 0, 10 * ms},
		{"no misprediction, overload: 0.6*10", with(func(p *Params) { p.NoMisprediction, p.Beta = true, 2 }), 10 * ms, 4 * ms, 0.6, 0, 6 * ms},
		{"overload: 0.6*10", plain, 10 * ms, 0, 0.6, 0, 6 * ms},
		{"overload after beta: 0.6*(10-4)", with(func(p *Params) { p.Beta = 1 }), 10 * ms, 4 * ms, 0.6, 0, 3.6 * ms},
		{"inertia: 0.7*10+0.3*20", plain, 10 * ms, 0, 1, 20 * ms, 13 * ms},
		{"inertia after overload: 0.7*0.6*10+0.3*20", plain, 10 * ms, 0, 0.6, 20 * ms, 10.2 * ms},
		{"inertia keeps a slice that fell to 0: 0.3*20", with(func(p *Params) { p.Beta = 3 }), 10 * ms, 4 * ms, 1, 20 * ms, 6 * ms},
		{"inertia only above 1 ms", plain, 10 * ms, 0, 1, 1 * ms, 10 * ms},
		{"inertia just above 1 ms: 0.7*10+0.3*1.000001", plain, 10 * ms, 0, 1, 1*ms + 1, 7_300_000.3},
		{"inertia 0", with(func(p *Params) { p.Inertia = 0 }), 10 * ms, 0, 1, 20 * ms, 10 * ms},
		{"longest slice, after all else: min(0.7*10+0.3*20, 12)", with(func(p *Params) { p.MaxSliceNs = 12 * ms }), 10 * ms, 0, 1, 20 * ms, 12 * ms},
		{"longest slice there is", plain, 2000 * ms, 0, 1, 0, 1000 * ms},
		{"inertia 1", with(func(p *Params) { p.Inertia = 1 }), 10 * ms, 0, 1, 20 * ms, 20 * ms},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := test.params.sliceNs(test.predicted, test.stdev, test.p, int64(test.last))
			if math.Abs(got-test.want) > 1e-3 {
				t.Errorf("slice is %v, want %v", got, test.want)
			}
		})
	}
}

func TestOptionsCheck(t *testing.T) {
	good := Options{Predictor: Mean{}, Params: DefaultParams, History: 1}
	if err := good.Check(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	tests := []struct {
		want   string
		change func(*Options)
	}{
		{"alpha -1 is not from 0 to 1000", func(o *Options) { o.Params.Alpha = -1 }},
		{"alpha NaN is not from 0 to 1000", func(o *Options) { o.Params.Alpha = math.NaN() }},
		{"beta 1000.5 is not from 0 to 1000", func(o *Options) { o.Params.Beta = 1000.5 }},
		{"theta 100.1 is not from 0 to 100", func(o *Options) { o.Params.Theta = 100.1 }},
		{"gamma -0.1 is not from 0 to 1000", func(o *Options) { o.Params.Gamma = -0.1 }},
		{"gamma 0 is not more than 0; it divides", func(o *Options) { o.Params.Gamma = 0 }},
		{"inertia 1.1 is not from 0 to 1", func(o *Options) { o.Params.Inertia = 1.1 }},
		{"max-slice 0s is not from 1ns to 1s", func(o *Options) { o.Params.MaxSliceNs = 0 }},
		{"max-slice 1.000000001s is not from 1ns to 1s", func(o *Options) { o.Params.MaxSliceNs = MaxSliceNs + 1 }},
		{"util 101 is not from 0 to 100", func(o *Options) { util := 101.0; o.UtilPct = &util }},
		{"history 0 is not from 1 to 10000", func(o *Options) { o.History = 0 }},
		{"drift is told by the windows before the current one; it takes a history of 2 or more", func(o *Options) { o.Drift = true }},
		{"history 10001 is not from 1 to 10000", func(o *Options) { o.History = 10001 }},
	}
	for _, test := range tests {
		o := good
		test.change(&o)
		if err := o.Check(); err == nil || err.Error() != test.want {
			t.Errorf("error is %v, want %q", err, test.want)
		}
	}
}
