package tune

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"alps/internal/stream"
)

// benchWindow has so many classes of so many turns, each an invocation, in any order.
func benchWindow(id stream.Integer, classes, turns int) *stream.Window[stream.Turn] {
	rng := rand.New(rand.NewPCG(1, uint64(id)))
	w := &stream.Window[stream.Turn]{ID: id}
	for i, n := range rng.Perm(classes * turns) {
		class := fmt.Sprint("fn-", n/turns)
		w.Rows = append(w.Rows, stream.Turn{
			Frame: stream.Frame{Window: id, Rows: stream.Count(classes * turns)},
			Class: stream.Name(class), Key: "cgroup:/fn/" + class, Invocation: stream.Name(fmt.Sprint("i", id, "-", i)),
			Turn: 1, SliceNs: stream.Nanos(rng.Int64N(100 * ms)), WaitNs: stream.Nanos(rng.Int64N(100 * ms)),
			CPUs: 1, UtilPct: 90,
		})
		w.Lines = append(w.Lines, i+2)
	}
	return w
}

// cpuSeconds is the CPU time of the process, which says more than time where others
// use the CPUs too.
func cpuSeconds(b *testing.B) float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// BenchmarkPolicy goes from a window of 100,000 classes with 10 turns each to its
// policy, with each predictor and each way of ranking.
func BenchmarkPolicy(b *testing.B) {
	w := benchWindow(1, 100_000, 10)
	bench := func(name string, change func(*Options)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpuSeconds(b)
			for b.Loop() {
				mustPolicy(b, newTuner(change), w)
			}
			b.ReportMetric((cpuSeconds(b)-before)/float64(b.N), "cpu-s/op")
		})
	}
	for _, name := range predictorNames {
		predictor, err := PredictorNamed(name, DefaultQuantile, 1)
		if err != nil {
			b.Fatal(err)
		}
		bench("predictor="+name, func(o *Options) { o.Predictor, o.RankBy, o.Unknown = predictor, RankByDemand, true })
	}
	for _, by := range []RankBy{RankByWait, RankBySlice, RankByGittins} {
		bench("rank-by="+string(by), func(o *Options) { o.RankBy, o.Unknown = by, true })
	}
}

// BenchmarkPolicyHistory: the last of ten windows of 1,000 classes with 100 turns.
func BenchmarkPolicyHistory(b *testing.B) {
	const windows = 10
	var ws [windows]*stream.Window[stream.Turn]
	for i := range ws {
		ws[i] = benchWindow(stream.Integer(i), 1000, 100)
	}
	for _, drift := range []bool{false, true} {
		b.Run(fmt.Sprint("drift=", drift), func(b *testing.B) {
			b.ReportAllocs()
			tuner := newTuner(func(o *Options) { o.History, o.Drift, o.RankBy = windows, drift, RankByDemand })
			for _, w := range ws {
				mustPolicy(b, tuner, w)
			}
			for b.Loop() {
				mustPolicy(b, tuner, ws[windows-1])
			}
		})
	}
}
