package sim_test

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alps/internal/sim"
	"alps/internal/vm"
	"alps/internal/workload"
)

// TestPredictsKernels runs workloads on one CPU of a virtual machine, under the
// last kernel with CFS and under one with EEVDF, and simulates what was
// measured: the same arrivals and sleeps, and the CPU times that the invocations
// used, start-up included.
//
// Any fair policy comes near to the mean turnaround, round robin too. What tells
// them apart is the short classes. docs/fair-schedulers.md has the figures, and
// what reality has in addition.
func TestPredictsKernels(t *testing.T) {
	if os.Getenv("ALPS_VM") == "" {
		t.Skip("boots virtual machines; set ALPS_VM=1 to run it")
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		t.Skipf("no machine to be had: %v", err)
	}
	runner, err := workload.BuildRunner(t.Context(), t.TempDir())
	if err != nil {
		t.Skipf("no workload to be had: %v", err)
	}
	for _, kernel := range []struct {
		name   string
		policy sim.Policy
	}{{"6.1", sim.CFS{}}, {"6.18", sim.EEVDF{}}} {
		t.Run(kernel.name, func(t *testing.T) {
			path, err := vm.Kernel(t.Context(), kernel.name)
			if err != nil {
				t.Skipf("no kernel %s to be had: %v", kernel.name, err)
			}
			for _, w := range kernelWorkloads() {
				t.Run(w.name, func(t *testing.T) {
					t.Parallel()
					comparison{kernel.name, path, runner, w.trace(t)}.run(t, kernel.policy)
				})
			}
		})
	}
}

// kernelWorkload is a workload at 90% load.
type kernelWorkload struct {
	name  string
	seed  uint64
	gapCV float64
	sleep time.Duration // of each of 4 sleeps
}

// kernelWorkloads are two of them, or all with ALPS_SIM_ALL=1.
func kernelWorkloads() []kernelWorkload {
	usual := []kernelWorkload{
		{"poisson", 1, workload.PoissonCV, 0},
		{"sleeping", 1, workload.PoissonCV, 5 * time.Millisecond},
	}
	if os.Getenv("ALPS_SIM_ALL") == "" {
		return usual
	}
	return append(usual, kernelWorkload{"second seed", 2, workload.PoissonCV, 0},
		kernelWorkload{"steady", 1, workload.SteadyCV, 0}, kernelWorkload{"bursty", 1, workload.BurstyCV, 0})
}

func (w kernelWorkload) trace(t *testing.T) workload.Trace {
	t.Helper()
	s := workload.DefaultSynthetic
	s.Seed, s.GapCV = w.seed, w.gapCV
	trace, err := workload.Generate(s)
	if err != nil {
		t.Fatal(err)
	}
	if w.sleep > 0 {
		for i := range trace {
			trace[i].Sleeps, trace[i].SleepNs = 4, int64(w.sleep)
		}
	}
	return trace
}

// comparison is that of a kernel with a policy.
type comparison struct {
	series, kernel, runner string
	trace                  workload.Trace
}

func (c comparison) run(t *testing.T, policy sim.Policy) {
	measured := c.measure(t)
	jobs := make([]sim.Job, len(measured))
	for i, o := range measured {
		jobs[i] = sim.Job{ArrivalNs: o.ArrivalNs, CPUNs: o.CPUNs, BlockNs: o.BlockNs, Sleeps: int32(c.trace[i].Sleeps)}
	}
	result, err := sim.Simulate(jobs, sim.Config{CPUs: 1}, policy)
	if err != nil {
		t.Fatal(err)
	}
	simulated := make([]workload.Outcome, len(measured))
	for i, o := range measured {
		o.EndNs, o.Voluntary, o.Involuntary = result.EndNs[i], 0, int64(result.Switches[i])
		simulated[i] = o
	}
	is, want := workload.Summarize(simulated), workload.Summarize(measured)
	for i, class := range want {
		t.Logf("%-4s %4d invocations of %7.1f ms: turnaround measured %7.1f ms, simulated %7.1f (%+5.1f%%); switches %5d, %5d",
			class.Class, class.N, class.CPUNs/1e6, class.MeanNs/1e6, is[i].MeanNs/1e6,
			100*(is[i].MeanNs/class.MeanNs-1), class.Switches, is[i].Switches)
	}
	for i, class := range want {
		limit := 0.15
		if class.Class == workload.AllClasses {
			limit = 0.05
			near(t, "context switches", float64(is[i].Switches), float64(class.Switches), 0.15)
		}
		near(t, "mean turnaround of "+class.Class, is[i].MeanNs, class.MeanNs, limit)
	}
}

func near(t *testing.T, what string, got, want, limit float64) {
	t.Helper()
	if off := got/want - 1; !(math.Abs(off) <= limit) { // so that NaN is not
		t.Errorf("%s: %.4g simulated, %.4g measured, %+.1f%%; it must be within %.0f%%", what, got, want, 100*off, 100*limit)
	}
}

// measure runs the workload in the machine, in virtual time.
func (c comparison) measure(t *testing.T) []workload.Outcome {
	t.Helper()
	dir := t.TempDir()
	tracePath := filepath.Join(dir, "trace.csv")
	f, err := os.Create(tracePath)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.trace.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	m := vm.Machine{
		Kernel: c.kernel, CPUs: 1, VirtualTime: true, Shift: 1, Shell: true, OutDir: dir, Stderr: t.Output(),
		Files: []vm.File{{Host: tracePath, Guest: "/trace.csv"}, {Host: c.runner, Guest: "/bin/" + workload.RunnerName}},
	}
	status, err := m.Run(t.Context(), "sh", "-c",
		fmt.Sprintf("uname -r >/out/release && %s /trace.csv >/out/result.csv", workload.RunnerName))
	if err != nil {
		t.Fatal(err)
	}
	if status != 0 {
		t.Fatalf("the runner ended with status %d", status)
	}
	release, err := os.ReadFile(filepath.Join(dir, "release"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(release), c.series+".") {
		t.Skipf("the kernel is %s, not of the series %s", strings.TrimSpace(string(release)), c.series)
	}
	result, err := os.Open(filepath.Join(dir, "result.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	outcomes, err := workload.ReadOutcomes(result, "result.csv")
	if err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != len(c.trace) {
		t.Fatalf("%d of %d invocations have an outcome", len(outcomes), len(c.trace))
	}
	return outcomes
}
