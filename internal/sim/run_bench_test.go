package sim_test

import (
	"bytes"
	"io"
	"testing"

	"alps/internal/sim"
	"alps/internal/stream"
	"alps/internal/workload"
)

// BenchmarkRun simulates 100,000 invocations, most of 1 to 100 ms, from CSV to
// CSV: what alps-sim does but for starting up.
func BenchmarkRun(b *testing.B) {
	const invocations = 100_000
	s := workload.DefaultSynthetic
	s.Invocations, s.Classes, s.MinDemand, s.MaxDemand = invocations, 100, 1e6, 100e6
	trace, err := workload.Generate(s)
	if err != nil {
		b.Fatal(err)
	}
	var in bytes.Buffer
	if err := workload.WriteWindows(stream.NewWriter[stream.Invocation](&in), trace, workload.WindowOptions{Length: 1e15, CPUs: 1}); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(in.Len()))
	for b.Loop() {
		err := sim.Run(stream.NewReader[stream.Invocation](bytes.NewReader(in.Bytes()), "bench"), stream.NewWriter[stream.Turn](io.Discard), io.Discard,
			sim.Options{Policy: func([]sim.Job) sim.Policy { return sim.SRPT{MinSliceNs: sim.DefaultMinSliceNs} }})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*invocations/b.Elapsed().Seconds()/1e6, "Minvocations/s")
}
