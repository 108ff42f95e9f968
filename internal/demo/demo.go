package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"alps/internal/workload"
)

// tools are the four, in the order of the pipe.
var tools = []string{"alps-collect", "alps-sim", "alps-tune", "alps-load"}

// Options says what is shown, and where things are.
type Options struct {
	Bin     string // directory of the four tools, built statically
	Out     string // directory for the results, made if missing
	History int    // windows that alps-tune learns from

	Kernel string // as vm.Kernel takes it
	CPUs   int    // of the machine
	Seed   uint64 // of the workload
	Window time.Duration
	// Trace is a trace file (see workload.ReadTrace) to run instead of a
	// synthetic workload; "" for none.
	Trace string

	Offline bool   // do without the machine
	Windows string // the recorded windows for it, an invocations stream
}

// Result is what a demonstration has to show.
type Result interface {
	// Write prints a table for people, at most 120 columns wide, the last line
	// of which sums it up.
	Write(w io.Writer) error
	// Plot draws the distributions of the turnarounds into an SVG or PNG file.
	Plot(path string) error
}

// Run runs the demonstration in the virtual machine. Where that cannot be had,
// it says so in one line and runs it offline; what fails once the machine is
// there is an error. Progress goes to log.
func (o Options) Run(ctx context.Context, log io.Writer) (Result, error) {
	for _, tool := range tools {
		if _, err := os.Stat(o.tool(tool)); err != nil {
			return nil, fmt.Errorf("looking for the tools: %w; make build makes them", err)
		}
	}
	if err := o.clearOut(); err != nil {
		return nil, err
	}
	if o.Offline {
		return o.runOffline(ctx, log)
	}
	work, err := os.MkdirTemp("", "alps-demo-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	trace, err := o.workload()
	if err != nil {
		return nil, err
	}
	m, err := o.prepare(ctx, log, work)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		fmt.Fprintf(log, "no virtual machine: %s; going on offline, with recorded windows\n", o.reason(err))
		return o.runOffline(ctx, log)
	}
	return o.runMachine(ctx, log, m, trace)
}

// reason is what an error says, in one line. What it says beyond that, such as
// the output of a compiler, is kept in a file.
func (o Options) reason(err error) string {
	line, more, long := strings.Cut(err.Error(), "\n")
	line = strings.TrimRight(line, ":; ")
	if long && strings.TrimSpace(more) != "" {
		path := o.path("no-machine.txt")
		if os.WriteFile(path, []byte(err.Error()+"\n"), 0o644) == nil {
			line += " (more in " + path + ")"
		}
	}
	return line
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

// results are the patterns of the files that a demonstration leaves.
var results = []string{
	"kernel-*.csv", "alps-*.csv", "srpt-*.csv", "trace.csv", "alps-status.txt", "no-machine.txt", "turnaround.svg",
}

// clearOut makes the directory of the results and removes those of an earlier
// run, which may have been one of another kind with other files.
func (o Options) clearOut() error {
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return err
	}
	for _, pattern := range results {
		old, err := filepath.Glob(o.path(pattern))
		if err != nil {
			return err
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}

func (o Options) path(name string) string { return filepath.Join(o.Out, name) }

func (o Options) tool(name string) string { return filepath.Join(o.Bin, name) }
