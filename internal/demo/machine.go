package demo

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"alps/internal/vm"
	"alps/internal/workload"
)

//go:embed loop.sh
var loop []byte

const (
	// virtualShift makes an instruction of the machine take 2 ns.
	virtualShift = 1

	// bootLimit and runLimit are for the slowest hosts; a boot takes some 5 s,
	// a run a minute or two.
	bootLimit = 2 * time.Minute
	runLimit  = 20 * time.Minute
)

// machine is a virtual machine that was seen to boot.
type machine struct {
	vm.Machine
	release string // of its kernel, as uname -r prints it
}

// prepare gets all that the machine takes, installing and fetching what is
// missing, and boots it once: an error means that there can be no machine here.
// What it compiles it leaves in work.
func (o Options) prepare(ctx context.Context, log io.Writer, work string) (*machine, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("this is %s/%s, and the machine needs the tools built for linux/amd64", runtime.GOOS, runtime.GOARCH)
	}
	if err := vm.Setup(ctx, log); err != nil {
		return nil, err
	}
	kernel, err := vm.Kernel(ctx, o.Kernel)
	if err != nil {
		return nil, err
	}
	runner, err := workload.BuildRunner(ctx, work)
	if err != nil {
		return nil, err
	}
	script := filepath.Join(work, "loop.sh")
	if err := os.WriteFile(script, loop, 0o644); err != nil {
		return nil, err
	}
	m := &machine{Machine: vm.Machine{
		Kernel: kernel, CPUs: o.CPUs, Shell: true, VirtualTime: true, Shift: virtualShift,
		MemoryMiB: 1024,
		Files:     []vm.File{{Host: script, Guest: "/loop.sh"}, {Host: runner, Guest: "/bin/" + workload.RunnerName}},
	}}
	for _, tool := range tools {
		m.Files = append(m.Files, vm.File{Host: o.tool(tool), Guest: "/bin/" + tool})
	}
	trial := m.Machine
	var release bytes.Buffer
	trial.Stdout, trial.Stderr, trial.Timeout = &release, log, bootLimit
	status, err := trial.Run(ctx, "uname", "-r")
	if err != nil {
		return nil, err
	}
	if status != 0 {
		return nil, fmt.Errorf("uname in the machine ended with status %d", status)
	}
	m.release = strings.TrimSpace(release.String())
	return m, nil
}

// runMachine runs a workload in the machine, under the one scheduler and then
// under the other.
func (o Options) runMachine(ctx context.Context, log io.Writer, m *machine, trace workload.Trace) (*Table, error) {
	tracePath := o.path("trace.csv")
	if err := writeFile(tracePath, trace.Write); err != nil {
		return nil, err
	}
	span := time.Duration(trace[len(trace)-1].ArrivalNs)
	fmt.Fprintf(log, "the virtual machine: Linux %s with %s, on virtual time\n", m.release, cpus(o.CPUs))
	fmt.Fprintf(log, "the workload: %d invocations, %v of CPU time within %v; both runs of it take a minute or two\n",
		len(trace), time.Duration(trace.DemandNs()).Round(time.Second/10), span.Round(time.Second/10))

	run := m.Machine
	run.Files = append(run.Files, vm.File{Host: tracePath, Guest: "/trace.csv"})
	run.OutDir, run.Stdout, run.Stderr, run.Timeout = o.Out, log, log, runLimit
	args := []string{"sh", "/loop.sh", o.Window.String(), strconv.Itoa(o.History)}
	if o.CPUs > 1 {
		// Virtual CPUs under -icount share one stream of instructions, so
		// that each is the faster the more of the others idle. Only their
		// clocks say how much a function has had.
		args = append(args, "--by-clock")
	}
	status, err := run.Run(ctx, args...)
	if err != nil {
		return nil, err
	}
	if status != 0 {
		return nil, fmt.Errorf("the loop in the machine ended with status %d", status)
	}
	kernel, err := readOutcomes(o.path("kernel-result.csv"))
	if err != nil {
		return nil, err
	}
	alps, err := readOutcomes(o.path("alps-result.csv"))
	if err != nil {
		return nil, err
	}
	// Of what was measured under ALPS, as the kernel's own scheduler switches
	// so often that it makes the invocations themselves longer.
	rows, err := workload.Invocations(alps, o.CPUs, "")
	if err != nil {
		return nil, err
	}
	srptNs, err := o.srpt(ctx, rows)
	if err != nil {
		return nil, err
	}
	table, err := newTable(kernel, alps, srptNs)
	if err != nil {
		return nil, err
	}
	table.Kernel, table.CPUs = "Linux "+upstream(m.release), o.CPUs
	return table, nil
}

// upstream is the version of Linux in a distribution's release: 7.3.4 in
// 7.3.4+deb13-cloud-amd64.
func upstream(release string) string {
	version := strings.FieldsFunc(release, func(r rune) bool { return r == '+' || r == '-' })
	if len(version) == 0 {
		return release
	}
	return version[0]
}

func cpus(n int) string {
	if n == 1 {
		return "1 CPU"
	}
	return fmt.Sprintf("%d CPUs", n)
}

func readOutcomes(path string) ([]workload.Outcome, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return workload.ReadOutcomes(f, path)
}
