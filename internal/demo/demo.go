package demo

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"alps/internal/stream"
	"alps/internal/vm"
	"alps/internal/workload"
)

//go:embed loop.sh
var loop []byte

// virtualShift makes an instruction of the machine take 2 ns.
const virtualShift = 1

// Options says what is shown, and where things are.
type Options struct {
	Bin     string // directory of the four tools, built statically
	Out     string // directory for the results, made if missing
	Kernel  string // as vm.Kernel takes it
	CPUs    int    // of the machine
	Seed    uint64 // of the workload
	Window  time.Duration
	History int // windows that alps-tune learns from

	// Trace is a trace file (see workload.ReadTrace) to run instead of a
	// synthetic workload; "" for none.
	Trace string
}

// Run runs the demonstration in the virtual machine. Progress goes to log.
func (o Options) Run(ctx context.Context, log io.Writer) (*Table, error) {
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	trace, err := o.workload()
	if err != nil {
		return nil, err
	}
	tracePath := o.path("trace.csv")
	if err := writeFile(tracePath, trace.Write); err != nil {
		return nil, err
	}
	span := time.Duration(trace[len(trace)-1].ArrivalNs)
	fmt.Fprintf(log, "the workload: %d invocations, %v of CPU time within %v, on %d CPU(s)\n",
		len(trace), time.Duration(trace.DemandNs()).Round(time.Second/10), span.Round(time.Second/10), o.CPUs)
	if err := o.runMachine(ctx, log, tracePath); err != nil {
		return nil, err
	}
	kernel, err := readOutcomes(o.path("kernel-result.csv"))
	if err != nil {
		return nil, err
	}
	alps, err := readOutcomes(o.path("alps-result.csv"))
	if err != nil {
		return nil, err
	}
	bound, err := o.bound(ctx, alps)
	if err != nil {
		return nil, err
	}
	return newTable(kernel, alps, bound)
}

// workload is what is to be run: a trace file, or a synthetic one.
func (o Options) workload() (workload.Trace, error) {
	if o.Trace == "" {
		s := workload.DefaultSynthetic
		s.Seed, s.Load.CPUs = o.Seed, o.CPUs
		s.Invocations = 600 * o.CPUs
		return workload.Generate(s)
	}
	f, err := os.Open(o.Trace)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return workload.ReadTrace(f, o.Trace)
}

func (o Options) runMachine(ctx context.Context, log io.Writer, trace string) error {
	work, err := os.MkdirTemp("", "alps-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	runner, err := workload.BuildRunner(ctx, work)
	if err != nil {
		return err
	}
	script := filepath.Join(work, "loop.sh")
	if err := os.WriteFile(script, loop, 0o644); err != nil {
		return err
	}
	m := vm.Machine{
		Kernel: o.Kernel, CPUs: o.CPUs, Shell: true, VirtualTime: true, Shift: virtualShift,
		MemoryMiB: 1024,
		Files:     []vm.File{{Host: trace, Guest: "/trace.csv"}, {Host: script, Guest: "/loop.sh"}, {Host: runner, Guest: "/bin/" + workload.RunnerName}},
		OutDir:    o.Out, Stdout: log, Stderr: log,
		Timeout: 20 * time.Minute,
	}
	for _, tool := range []string{"alps-collect", "alps-sim", "alps-tune", "alps-load"} {
		m.Files = append(m.Files, vm.File{Host: filepath.Join(o.Bin, tool), Guest: "/bin/" + tool})
	}
	args := []string{"sh", "/loop.sh", o.Window.String(), strconv.Itoa(o.History)}
	if o.CPUs > 1 {
		// Virtual CPUs under -icount share one stream of instructions, so
		// that each is the faster the more of the others idle. Only their
		// clocks say how much a function has had.
		args = append(args, "--by-clock")
	}
	status, err := m.Run(ctx, args...)
	if err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("the loop in the machine ended with status %d", status)
	}
	return nil
}

// bound asks alps-sim what SRPT would have done with what was measured: the
// turnaround in ns of each invocation.
func (o Options) bound(ctx context.Context, outcomes []workload.Outcome) (map[string]int64, error) {
	rows, err := workload.Invocations(outcomes, o.CPUs, "")
	if err != nil {
		return nil, err
	}
	invocations := o.path("srpt-invocations.csv")
	if err := writeFile(invocations, func(w io.Writer) error {
		return stream.NewWriter[stream.Invocation](w).Write(1, rows)
	}); err != nil {
		return nil, err
	}
	turns := o.path("srpt-turns.csv")
	var stdout, stderr bytes.Buffer
	sim := exec.CommandContext(ctx, filepath.Join(o.Bin, "alps-sim"), "--min-slice", "0s", invocations)
	sim.Stdout, sim.Stderr = &stdout, &stderr
	if err := sim.Run(); err != nil {
		return nil, fmt.Errorf("simulating SRPT: %w\n%s", err, stderr.Bytes())
	}
	if err := os.WriteFile(turns, stdout.Bytes(), 0o644); err != nil {
		return nil, err
	}
	w, err := stream.NewReader[stream.Turn](&stdout, turns).Next()
	if err != nil {
		return nil, err
	}
	return turnarounds(w.Rows), nil
}

// turnarounds returns the turnaround of each invocation of a window of turns.
func turnarounds(turns []stream.Turn) map[string]int64 {
	took := make(map[string]int64)
	arrival := make(map[string]int64)
	for i := range turns {
		t := &turns[i]
		id := string(t.Invocation)
		if t.Turn == 1 {
			arrival[id] = int64(t.StartNs.Nanos - t.WaitNs)
		}
		took[id] = int64(t.StartNs.Nanos+t.SliceNs) - arrival[id]
	}
	return took
}

func readOutcomes(path string) ([]workload.Outcome, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return workload.ReadOutcomes(f, path)
}

func writeFile(path string, write func(io.Writer) error) error {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}

func (o Options) path(name string) string { return filepath.Join(o.Out, name) }
