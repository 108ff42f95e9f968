package gittins

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	published "alps/internal/workload" // the package has a workload itself
)

// tracesDir is where the published traces are, which are no part of this
// repository. Where they are not there, the test is skipped.
func tracesDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("ALPS_TRACES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "traces") // ../shared/traces from the root
	}
	if _, err := os.Stat(filepath.Join(dir, "demands.csv")); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no published traces: %v (set ALPS_TRACES to their directory)", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return dir
}

// sample is a part of a published trace at 90% load of one CPU, as the experiments
// behind docs/results.md take it.
func sample(t *testing.T, dir, name string, format published.Format, sampleOf int, seed uint64) published.Trace {
	t.Helper()
	open := func(name string) *os.File {
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		return file
	}
	requests, err := published.ReadPublished(open(name), name, format)
	if err != nil {
		t.Fatal(err)
	}
	demands, err := published.ReadDemands(open("demands.csv"), "demands.csv")
	if err != nil {
		t.Fatal(err)
	}
	trace, err := published.FromPublished(requests, published.Replay{
		Demands: demands, ClassBy: "argument", SampleOf: sampleOf, Seed: seed,
		Load: published.Load{UtilisationPct: 90, CPUs: 1, Sigma: 0.15},
	})
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// TestEightStepsOnPublishedTraces: a policy of eight rows a class, as alps-tune makes
// it, comes to within 1% of the mean turnaround under the index followed exactly. One
// sample of the trace teaches, another one is judged. With -v it prints the figures.
func TestEightStepsOnPublishedTraces(t *testing.T) {
	dir := tracesDir(t)
	for _, trace := range []struct {
		file   string
		format published.Format
	}{
		{"alps-huawei.txt", published.FormatALPS},
		{"alps-azure.txt", published.FormatALPS},
		{"sfs.txt", published.FormatSFS},
	} {
		for _, sampleOf := range []int{24, 8} {
			for seed := uint64(1); seed <= 3; seed++ {
				seen, jobs := learnAndJudge(
					sample(t, dir, trace.file, trace.format, sampleOf, 2*seed-1),
					sample(t, dir, trace.file, trace.format, sampleOf, 2*seed))
				exactNs := meanTurnaroundNs(jobs, indexes(seen, spreadIndex))
				stepsNs := meanTurnaroundNs(jobs, indexes(seen, func(samplesNs []int64) indexFunction {
					return spreadIndex(samplesNs).(*Distribution).Steps(8)
				}))
				off := 100 * (stepsNs/exactNs - 1)
				t.Logf("%s, 1/%d, seed %d: %d invocations, %.1f ms exactly, %+.2f%% in 8 steps", trace.file, sampleOf, seed, len(jobs), exactNs/1e6, off)
				if math.Abs(off) > 1 {
					t.Errorf("%s, 1/%d, seed %d: 8 steps are off by %+.2f%%", trace.file, sampleOf, seed, off)
				}
			}
		}
	}
}

func spreadIndex(samplesNs []int64) indexFunction { return must(Spread(Thin(samplesNs, 1000))) }

// learnAndJudge returns the demands of each class in one trace, and the jobs of
// another. What is of a class that the first has not is left out.
func learnAndJudge(teach, judge published.Trace) (seen [][]int64, jobs []job) {
	place := make(map[string]int)
	for _, r := range teach {
		class, known := place[r.Class]
		if !known {
			class = len(seen)
			place[r.Class] = class
			seen = append(seen, nil)
		}
		seen[class] = append(seen[class], r.CPUNs)
	}
	for _, r := range judge {
		if class, known := place[r.Class]; known {
			jobs = append(jobs, job{class: class, arrivalNs: r.ArrivalNs, demandNs: r.CPUNs})
		}
	}
	return seen, jobs
}
