package gittins

import (
	"math/rand/v2"
	"testing"
)

func benchSamples(n int) []int64 {
	r := rand.New(rand.NewPCG(1, 2))
	samplesNs := make([]int64, n)
	for i := range samplesNs {
		samplesNs[i] = int64(1e8 * lognormal(1)(uniform(r)))
	}
	return samplesNs
}

func BenchmarkNew10000Samples(b *testing.B) {
	samplesNs := benchSamples(10_000)
	for b.Loop() {
		mustNew(b, samplesNs...)
	}
}

func BenchmarkRankNs10000Samples(b *testing.B) {
	d := mustNew(b, benchSamples(10_000)...)
	var attainedNs int64
	for b.Loop() {
		d.RankNs(attainedNs)
		attainedNs = (attainedNs + 7_919_317) % d.LongestNs()
	}
}

func BenchmarkSteps10000Samples(b *testing.B) {
	d := mustNew(b, benchSamples(10_000)...)
	for b.Loop() {
		d.Steps(8)
	}
}

// BenchmarkPolicy is all that a window of as many classes as alps-load takes
// needs: 10 samples each, spread, in 8 steps, ranked.
func BenchmarkPolicy65536Classes(b *testing.B) {
	const classes = 65_536
	samplesNs := benchSamples(10 * classes)
	var r Reducer
	for b.Loop() {
		steps := make([]Steps, classes)
		for i := range steps {
			var err error
			if steps[i], err = r.SpreadSteps(samplesNs[10*i:10*i+10], 8); err != nil {
				b.Fatal(err)
			}
		}
		Ranks(steps)
	}
}
